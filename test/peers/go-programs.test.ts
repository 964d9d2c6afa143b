// SPDX-License-Identifier: Apache-2.0
// Real programs built by versions of Go that there is no toolchain of: 1.18, where package syscall makes its calls itself,
// 1.20, 1.23, 1.25. Servers under requests and a program with children, counted by a tracer, too; TLS by what either side was asked.
import {execFileSync, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {appendFileSync, existsSync, mkdirSync, writeFileSync} from 'node:fs';
import {request as plainRequest} from 'node:http';
import {request as tlsRequest} from 'node:https';
import {type AddressInfo, createServer} from 'node:net';
import {join} from 'node:path';
import {afterAll, afterEach, describe, expect, test} from 'vitest';
import {eventsOf, scopedHome} from '../helpers/scoped.js';
import {channelDir, cleanup, launcher, makeDir, program, run, trace} from '../programs/support.js';
import {endRelays, seen} from '../programs/truth.js';
import {chromad, esbuildProgram, turbo} from './matrix/kinds.js';
import {asleep, countsOf, differing, killAll, named, since, start, total, traced} from './matrix/measure.js';

const REQUESTS = 100;
/** Hooked in libc only. */
const UNHOOKED = ['rt_sigaction'];
const homes: string[] = [];

afterEach(killAll);
afterAll(async () => {
  await endRelays(homes);
  cleanup();
});

const freePort = () =>
  new Promise<number>((done) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const {port} = probe.address() as AddressInfo;
      probe.close(() => done(port));
    });
  });

/** APPSCOPE_MATRIX=FILE gets what was seen and made, as from matrix.test.ts. */
function note(name: string, ours: Record<string, number>, made: Record<string, number>): void {
  if (process.env.APPSCOPE_MATRIX)
    appendFileSync(process.env.APPSCOPE_MATRIX, `| ${name} | ${total(ours)} / ${total(made)} |\n`);
}

/** Status and length of an answer, over a connection of its own. */
function get(url: string): Promise<string> {
  const request = url.startsWith('https:') ? tlsRequest : plainRequest;
  return new Promise((done, fail) => {
    request(url, {agent: false, rejectUnauthorized: false}, (answer) => {
      let length = 0;
      answer.on('data', (part: Buffer) => {
        length += part.length;
      });
      answer.on('end', () => done(`${answer.statusCode} ${length}`));
    })
      .on('error', fail)
      .end();
  });
}

async function until(url: string): Promise<string> {
  for (let i = 0; i < 200; i++) {
    const answer = await get(url).catch(() => undefined);
    if (answer) return answer;
    await new Promise((done) => setTimeout(done, 25));
  }
  throw new Error(`${url} does not answer`);
}

function site(): string {
  const dir = makeDir();
  writeFileSync(join(dir, 'page.txt'), 'a page\n'.repeat(1000));
  return dir;
}

/** For localhost, its own authority. */
function certificate(): {cert: string; key: string} {
  const dir = makeDir();
  const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  const words =
    '-x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost';
  execFileSync('openssl', ['req', ...words.split(' '), '-out', cert, '-keyout', key], {stdio: 'pipe'});
  return {cert, key};
}

function secureArgs(port: number): string[] {
  const {cert, key} = certificate();
  return [`--serve=127.0.0.1:${port}`, `--servedir=${site()}`, `--certfile=${cert}`, `--keyfile=${key}`];
}

/** Requests that a process of a session was asked, or asked, in order. */
const requestsOf = (session: string, proc: string): string[] =>
  eventsOf(session)
    .map(({body}) => body)
    .filter((body) => body?.source === 'http.req' && body.proc === proc)
    .map((body) => `${body.data.http_method} ${body.data.http_target}`);

interface Server {
  name: string;
  file: string;
  args: (port: number) => string[];
  path: string;
  scheme: string;
  /** Ends it; esbuild ends with its input. */
  signal?: NodeJS.Signals;
}

const servers: Server[] = [
  {
    name: 'Go 1.18, static, stripped: esbuild',
    file: esbuildProgram('go118'),
    args: (port: number) => [`--serve=127.0.0.1:${port}`, `--servedir=${site()}`],
    path: '/page.txt',
    scheme: 'http',
  },
  {
    name: 'Go 1.18, cgo, stripped: chromad',
    file: chromad,
    args: (port: number) => [`--bind=127.0.0.1:${port}`],
    path: '/',
    scheme: 'http',
    signal: 'SIGKILL',
  },
  ...[
    ['1.20', 'go120'],
    ['1.23', 'go123'],
    ['1.25', 'go125'],
  ].map(([version, name]) => ({
    name: `Go ${version}, static, stripped, TLS: esbuild`,
    file: esbuildProgram(name!),
    args: secureArgs,
    path: '/page.txt',
    scheme: 'https',
  })),
];

describe.each(servers)('$name', ({name, file, args, path, scheme, signal}) => {
  test.skipIf(!existsSync(file)).each(['launch', 'attach'])('%s: every call is seen', async (how) => {
    const home = makeDir();
    homes.push(home);
    const port = await freePort();
    const url = `${scheme}://127.0.0.1:${port}${path}`;
    const env = {SCOPE_HOME: home, SCOPE_NODE: '/bin/true', GOGC: '1', GOMAXPROCS: '2'};
    const argv = [file, ...args(port)];
    const server = start(how === 'launch' ? [launcher, ...argv] : argv, env);
    const answer = await until(url);
    expect(answer).toMatch(/^200 [1-9]\d+$/);
    const pid = server.child.pid!;
    if (how === 'attach') {
      const attached = await run([launcher, 'attach', String(pid)], env);
      expect([attached.stderr, attached.status]).toEqual(['', 0]);
    }
    // The read that esbuild waits in began before an attach: from the next on everything counts.
    server.child.stdin!.write('\n');
    await get(url);
    await asleep(pid);
    const out = join(makeDir(), 'calls');
    const before = countsOf(home, undefined);
    const tracer = start([program('tracer'), out, 'libscope.so', '-p', String(pid)], {});
    await tracer.says(/traced\n/);
    for (let i = 0; i < REQUESTS / 10; i++)
      expect(await Promise.all(Array.from({length: 10}, () => get(url)))).toEqual(Array(10).fill(answer));
    const ended = Promise.all([once(server.child, 'close'), once(tracer.child, 'close')]);
    // Nothing is under way then that its end would cut off.
    await asleep(pid);
    if (signal) process.kill(pid, signal);
    else server.child.stdin!.end();
    await ended;
    const ours = named(since(before, countsOf(home, undefined)), UNHOOKED);
    const made = named(traced(out), UNHOOKED);
    expect(differing(ours, made)).toEqual({});
    note(`${name}, ${how}`, ours, made);
    expect(made.accept4).toBeGreaterThanOrEqual(REQUESTS);
    expect(total(made)).toBeGreaterThan(4 * REQUESTS);
  });
});

/** A repository with one package, for turbo. */
function repository(): string {
  const dir = makeDir();
  mkdirSync(join(dir, 'packages/a'), {recursive: true});
  const files = {
    'package.json': {name: 'm', private: true, workspaces: ['packages/*'], packageManager: 'npm@8.0.0'},
    'turbo.json': {pipeline: {build: {outputs: ['out']}}},
    'packages/a/package.json': {name: 'a', version: '1.0.0', scripts: {build: 'echo built > out'}},
    'package-lock.json': {
      name: 'm',
      lockfileVersion: 2,
      requires: true,
      packages: {
        '': {name: 'm', workspaces: ['packages/*']},
        'node_modules/a': {resolved: 'packages/a', link: true},
        'packages/a': {version: '1.0.0'},
      },
    },
  };
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(dir, name), JSON.stringify(content));
  for (const words of [
    ['init', '-q'],
    ['add', '-A'],
    ['-c', 'user.email=a@example.com', '-c', 'user.name=a', 'commit', '-qm', 'a'],
  ])
    execFileSync('git', ['-C', dir, ...words]);
  return dir;
}

const hasGit = spawnSync('git', ['--version']).status === 0;

describe.skipIf(!existsSync(turbo) || !hasGit)('Go 1.18, cgo: turbo', () => {
  const build = (dir: string) => [turbo, 'run', 'build', '--no-daemon', '--force', `--cwd=${dir}`];
  const told = (text: string) => text.replace(/Time: .*/, '');

  test('its children are the same, every call of all of them is seen', async () => {
    const plain = await run(build(repository()));
    expect([plain.status, plain.stdout]).toEqual([0, expect.stringContaining('1 successful')]);
    const dir = channelDir();
    const {outcome, calls} = await trace(build(repository()), dir);
    expect([outcome.status, told(outcome.stdout)]).toEqual([0, told(plain.stdout)]);
    const made = named(
      [...calls].map(([nr, {calls: n}]) => [nr, n]),
      UNHOOKED,
    );
    const ours = seen(dir).calls;
    for (const name of UNHOOKED) delete ours[name];
    expect(differing(ours, made)).toEqual({});
    note('turbo', ours, made);
    expect(made.execve).toBeGreaterThan(5);
  });

  test('its requests inside TLS are seen', async () => {
    const {cert, key} = certificate();
    const remote = start(
      [
        process.execPath,
        '-e',
        `require('node:https').createServer({cert: fs.readFileSync('${cert}'), key: fs.readFileSync('${key}')}, (request, answer) => {
           console.log(request.method + ' ' + request.url);
           request.resume().on('end', () => answer.writeHead(request.method === 'GET' ? 404 : 200).end('{}'));
         }).listen(0, '127.0.0.1', function () { console.log('port ' + this.address().port); })`,
      ],
      {},
    );
    const [, port] = await remote.says(/port (\d+)\n/);
    const home = scopedHome();
    try {
      const api = [`--api=https://localhost:${port}`, '--token=t', '--team=team_a', '--remote-only'];
      const words = [`SSL_CERT_FILE=${cert}`, ...build(repository()), ...api];
      const requests = requestsOf(await home.runWhole('env', ...words), 'turbo');
      const asked = remote.output().match(/^(?:GET|PUT|POST) .*$/gm);
      expect(asked?.length).toBeGreaterThan(0);
      expect(requests.sort()).toEqual(asked!.sort());
    } finally {
      home.clean();
    }
  });
});

describe.each([
  ['1.20', 'go120'],
  ['1.23', 'go123'],
  ['1.25', 'go125'],
])('Go %s: esbuild', (_, name) => {
  test.skipIf(!existsSync(esbuildProgram(name)))(
    'the requests that it is asked inside TLS are seen',
    async () => {
      const home = scopedHome();
      const port = await freePort();
      try {
        const url = `https://127.0.0.1:${port}/page.txt`;
        const session = await home.runWhole(
          'sh',
          '-c',
          `mkfifo in; "$@" < in > /dev/null 2>&1 & exec 3> in; curl -sk --retry 20 --retry-connrefused -o /dev/null '${url}?[0-49]'; exec 3>&-; wait`,
          'sh',
          esbuildProgram(name),
          ...secureArgs(port),
        );
        expect(requestsOf(session, 'esbuild')).toEqual(
          Array.from({length: 50}, (_, i) => `GET /page.txt?${i}`),
        );
      } finally {
        home.clean();
      }
    },
  );
});
