// SPDX-License-Identifier: Apache-2.0
/**
 * What secrets look like in arguments, headers, query strings and log text. The expressions are ours, every repetition
 * is bounded or follows a fixed word, so that JavaScript's engine is linear on any text.
 */

/** Words whose value is a secret. */
const WORD =
  '(?:pass(?:word|wd|phrase)|pwd|secret|token|api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key|account[_-]?key|client[_-]?secret|credentials?|session[_-]?id|signature|x-amz-credential)';

/** `password=x`, `"token": "x"`, `?api_key=x&`: the value ends at a blank, quote, comma, semicolon, ampersand or bracket. */
const ASSIGNED = new RegExp(
  `(${WORD}(?:s|[_-]?\\d{1,3}|[_-][a-z0-9_-]{1,16})?["']?[ \\t]{0,2}(?:=|:(?!//))[ \\t]{0,2})("[^"]{1,4096}"|'[^']{1,4096}'|[^\\s"'&;,)}\\]]{1,4096})`,
  'gi',
);
/** `--password x`; `-p x` is too common to mean one. */
const FLAG = new RegExp(`(--?(?:[a-z0-9]{1,16}-){0,3}${WORD}[ \\t]{1,4})([^\\s-][^\\s]{0,4095})`, 'gi');
/** The rest of the line, as these headers have several parts. */
const HEADER =
  /\b((?:proxy-)?authorization|(?:set-)?cookie|x-[a-z-]{0,24}(?:key|token|secret))("?\s{0,2}[:=]\s{0,2})([^\r\n]{1,8192})/gi;
const SCHEME = /\b(bearer|basic|negotiate|digest|token)( {1,2})([A-Za-z0-9._~+/=-]{8,8192})/gi;
/** Password inside a URL. */
const URL_PASSWORD = /(:\/\/[^\s:/@]{0,256}:)([^\s@/]{1,256})(?=@)/g;
/** Keys that can be told by themselves: AWS, GitHub, Slack, Google, JSON web tokens, private keys. */
const KNOWN =
  /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,255}|\bgithub_pat_[A-Za-z0-9_]{22,255}|\bxox[abprs]-[A-Za-z0-9-]{10,255}|\bAIza[0-9A-Za-z_-]{35}|\beyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{0,4096}|-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[A-Za-z0-9+/=\s]{0,16384}/g;

/** What the words above have in common; asked only of texts in which something is assigned, or an argument follows. */
const HINT =
  /pass|pwd|secret|token|key|credential|session|signature|authorization|cookie|bearer|basic |negotiate|digest|x-/i;
/** Beginnings of keys that can be told by themselves. */
const KNOWN_HINT = /A(?:KIA|SIA|Iza)|gh[pousr]_|github_pat_|xox[abprs]-|eyJ|PRIVATE KEY/;

/** A field with such a name is a secret as a whole. */
const FIELD = new RegExp(
  `(?:^|[._-])(?:${WORD}|(?:proxy[_-])?authorization|(?:set[_-])?cookie|x[_-][a-z_-]{0,24}(?:key|token|secret))$`,
  'i',
);

/** Whether a field of this name holds nothing but a secret. */
export function isSecretField(name: string): boolean {
  return FIELD.test(name);
}

/** The text with its secrets masked; the very text when there are none. Most texts are done after a few searches. */
export function maskSecrets(text: string, mask: string): string {
  if (text.length < 8) return text;
  const assigned = text.includes('=') || text.includes(':');
  const spaced = text.includes(' ');
  let out = text;
  const two = (_: string, head: string): string => head + mask;
  if ((assigned || spaced) && HINT.test(text)) {
    if (assigned) {
      out = out
        .replace(HEADER, (_, name: string, between: string) => name + between + mask)
        .replace(ASSIGNED, two);
    }
    if (spaced) out = out.replace(FLAG, two).replace(SCHEME, (...found) => scheme(found, mask));
  }
  if (assigned && text.includes('@')) out = out.replace(URL_PASSWORD, two);
  return KNOWN_HINT.test(text) ? out.replace(KNOWN, mask) : out;
}

/** `Basic dXNlcjpw`, but not `basic understanding`: common words need a digit or padding behind them. */
function scheme(found: readonly string[], mask: string): string {
  const [whole, name, gap] = found as [string, string, string];
  const common = /^(?:basic|digest|token|negotiate)$/.test(name);
  return common && !/[0-9=]/.test(whole) ? whole : name + gap + mask;
}
