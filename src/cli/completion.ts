// SPDX-License-Identifier: Apache-2.0
/** `scope completion SHELL`: completion scripts made from the commands themselves. */
import {Argument, type Command} from 'commander';
import type {Action, Context} from './context.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

interface Word {
  name: string;
  description: string;
  /** Second words, e.g. of `relay`. */
  subcommands: string[];
  flags: {short?: string; long?: string; description: string; value: boolean}[];
}

export function defineCompletion(
  command: Command,
  run: (action: (context: Context) => Action) => Promise<void>,
): void {
  command
    .description('write the completion script of a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText(
      'after',
      '\nbash: source <(scope completion bash)\nzsh:  source <(scope completion zsh)\nfish: scope completion fish | source',
    )
    .action((shell: Shell) => run((context) => completion(context, shell)));
}

async function completion(context: Context, shell: Shell): Action {
  const {createProgram} = await import('./program.js');
  const program = await createProgram(undefined, async () => undefined);
  const words = program.commands
    .filter((c) => !(c as unknown as {_hidden: boolean})._hidden)
    .flatMap(describe);
  const make = {bash, zsh, fish}[shell];
  context.write(make([...words, {name: 'help', description: 'show help', flags: [], subcommands: []}]));
  return 0;
}

function describe(command: Command): Word[] {
  const flags = command.options.map((o) => ({
    ...(o.short !== undefined && {short: o.short}),
    ...(o.long !== undefined && {long: o.long}),
    description: o.description,
    value: o.required || o.optional,
  }));
  const subcommands = command.commands.map((c) => c.name());
  return [command.name(), ...command.aliases()].map((name) => ({
    name,
    description: command.description(),
    flags,
    subcommands,
  }));
}

const allFlags = (w: Word) => w.flags.flatMap((f) => [f.short, f.long].filter((x) => x !== undefined));

function bash(words: readonly Word[]): string {
  const cases = words
    .filter((w) => w.flags.length > 0)
    .map((w) => `    ${w.name}) flags="${allFlags(w).join(' ')}" words="${w.subcommands.join(' ')}" ;;`);
  return `# bash completion of scope
_scope() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" flags="" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${words.map((w) => w.name).join(' ')}" -- "$cur") $(compgen -c -- "$cur"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  case "$cur" in
    -*) COMPREPLY=($(compgen -W "$flags --help" -- "$cur")) ;;
    *) COMPREPLY=($(compgen -W "$words" -- "$cur") $(compgen -f -- "$cur")) ;;
  esac
}
complete -o default -F _scope scope
`;
}

const zshText = (s: string) => s.replace(/[[\]:'\\`$"]/g, ' ').replace(/\s+/g, ' ');

function zsh(words: readonly Word[]): string {
  const names = words.map((w) => `    '${w.name}:${zshText(w.description)}'`).join('\n');
  const cases = words.map((w) => {
    const specs = w.flags.flatMap((f) =>
      [f.short, f.long]
        .filter((x) => x !== undefined)
        .map((x) => `'${x}[${zshText(f.description)}]${f.value ? ': :' : ''}'`),
    );
    return `    ${w.name}) _arguments ${[...specs, w.subcommands.length > 0 ? `'1: :(${w.subcommands.join(' ')})'` : "'*: :_files'"].join(' ')} ;;`;
  });
  return `#compdef scope
# zsh completion of scope
_scope() {
  local -a words_of_scope
  words_of_scope=(
${names}
  )
  if (( CURRENT == 2 )); then
    _describe 'subcommand' words_of_scope
    _command_names -e
    return
  fi
  local word=$words[2]
  shift words
  (( CURRENT-- ))
  case $word in
${cases.join('\n')}
    *) _normal ;;
  esac
}
compdef _scope scope
`;
}

const fishText = (s: string) => `'${s.replace(/[\\']/g, ' ')}'`;

function fish(words: readonly Word[]): string {
  const lines = ['# fish completion of scope'];
  for (const w of words) {
    lines.push(`complete -c scope -n __fish_use_subcommand -a ${w.name} -d ${fishText(w.description)}`);
    for (const sub of w.subcommands) {
      lines.push(`complete -c scope -n '__fish_seen_subcommand_from ${w.name}' -a ${sub}`);
    }
    for (const f of w.flags) {
      const short = f.short ? ` -s ${f.short.slice(1)}` : '';
      const long = f.long ? ` -l ${f.long.slice(2)}` : '';
      const value = f.value ? ' -r' : '';
      lines.push(
        `complete -c scope -n '__fish_seen_subcommand_from ${w.name}'${short}${long}${value} -d ${fishText(f.description)}`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}
