// SPDX-License-Identifier: Apache-2.0
// A program with both ends of a conversation: conversations.mjs KIND N, KIND one of http, https, h2, h2c, grpc, dns (as root).
import dgram from 'node:dgram';
import dns from 'node:dns';
import {readFileSync} from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import {createRequire} from 'node:module';
import net from 'node:net';

const [kind, count] = [process.argv[2], Number(process.argv[3])];
const fixture = (name) => readFileSync(new URL(`../../fixtures/tls/${name}`, import.meta.url));
const tls = {key: fixture('key.pem'), cert: fixture('cert.pem')};
const client = {rejectUnauthorized: false, host: '127.0.0.1'};

/** /5 answers five bytes with a length, /c5 in chunks. */
function answer(request, response) {
  const size = Number(/[0-9]+$/.exec(request.url)[0]);
  request.resume();
  request.on('end', () => {
    const chunked = request.url.startsWith('/c');
    if (!chunked) response.setHeader('content-length', size);
    response.writeHead(size === 404 ? 404 : 200);
    response.end('x'.repeat(size));
  });
}

function listen(server) {
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server.address().port)));
}

async function overHttp1(module, server) {
  const port = await listen(server);
  const agent = new module.Agent({keepAlive: true, maxSockets: 3});
  const one = (i) =>
    new Promise((done, fail) => {
      const method = i % 3 === 0 ? 'POST' : i % 7 === 1 ? 'HEAD' : 'GET';
      const path = i % 2 ? `/${i}` : `/c${i}`;
      const request = module.request({...client, port, agent, method, path}, (response) => {
        response.resume();
        response.on('end', done);
      });
      request.on('error', fail);
      request.end(method === 'POST' ? 'body'.repeat(i) : undefined);
    });
  await Promise.all(Array.from({length: count}, (_, i) => one(i)));
  agent.destroy();
  server.close();
}

async function overHttp2(server, scheme) {
  const port = await listen(server);
  const session = http2.connect(`${scheme}://127.0.0.1:${port}`, client);
  const one = (i) =>
    new Promise((done, fail) => {
      const request = session.request({':path': `/${i}`, ':method': 'GET', 'x-number': String(i)});
      request.on('error', fail).on('end', done);
      request.resume();
      request.end();
    });
  await Promise.all(Array.from({length: count}, (_, i) => one(i)));
  session.close();
  server.close();
}

/** A service whose method Say fails with NOT_FOUND for every fifth number. */
async function overGrpc() {
  const grpc = createRequire(import.meta.url)('@grpc/grpc-js');
  const text = {serialize: (value) => Buffer.from(value), deserialize: (bytes) => bytes.toString()};
  const method = {
    path: '/demo.Talk/Say',
    requestStream: false,
    responseStream: false,
    requestSerialize: text.serialize,
    requestDeserialize: text.deserialize,
    responseSerialize: text.serialize,
    responseDeserialize: text.deserialize,
  };
  const server = new grpc.Server();
  server.addService(
    {Say: method},
    {
      Say: ({request}, done) =>
        Number(request) % 5 ? done(null, `said ${request}`) : done({code: grpc.status.NOT_FOUND}),
    },
  );
  const port = await new Promise((done, fail) => {
    const insecure = grpc.ServerCredentials.createInsecure();
    server.bindAsync('127.0.0.1:0', insecure, (error, bound) => (error ? fail(error) : done(bound)));
  });
  const Talk = grpc.makeGenericClientConstructor({Say: method}, 'demo.Talk');
  const talk = new Talk(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  for (let i = 0; i < count; i++) await new Promise((done) => talk.Say(String(i), done));
  talk.close();
  server.forceShutdown();
}

/** A name server of its own on port 53, asked over UDP and TCP; names that begin with `no` do not exist. */
async function overDns() {
  const packets = createRequire(import.meta.url)('dns-packet');
  const reply = (query) => {
    const {id, questions} = packets.decode(query);
    const [{name, type}] = questions;
    const data = type === 'AAAA' ? '2001:db8::5' : '192.0.2.5';
    const missing = name.startsWith('no');
    return packets.encode({
      type: 'response',
      id,
      questions,
      flags: missing ? 3 : 0,
      answers: missing ? [] : [{type, name, ttl: 60, data}],
    });
  };
  const address = '127.0.0.77';
  const udp = dgram.createSocket('udp4', (query, from) => udp.send(reply(query), from.port, from.address));
  await new Promise((done, fail) => udp.on('error', fail).bind(53, address, done));
  const tcp = net.createServer((socket) =>
    socket.on('data', (bytes) => {
      const answer = reply(bytes.subarray(2));
      socket.end(Buffer.concat([Buffer.from([answer.length >> 8, answer.length & 255]), answer]));
    }),
  );
  await new Promise((done) => tcp.listen(53, address, done));
  const resolver = new dns.promises.Resolver();
  resolver.setServers([address]);
  for (let i = 0; i < count; i++) await resolver.resolve4(`host${i}.example`);
  await resolver.resolve6('six.example');
  await resolver.resolve4('no.example').catch(() => {});
  const query = packets.encode({type: 'query', id: 9, questions: [{type: 'A', name: 'over.tcp'}]});
  await new Promise((done) => {
    const socket = net.connect(53, address, () =>
      socket.write(Buffer.concat([Buffer.from([0, query.length]), query])),
    );
    socket.on('data', () => socket.end()).on('close', done);
  });
  udp.close();
  tcp.close();
}

switch (kind) {
  case 'dns':
    await overDns();
    break;
  case 'grpc':
    await overGrpc();
    break;
  case 'http':
    await overHttp1(http, http.createServer(answer));
    break;
  case 'https':
    await overHttp1(https, https.createServer(tls, answer));
    break;
  case 'h2':
    await overHttp2(http2.createSecureServer(tls, answer), 'https');
    break;
  case 'h2c':
    await overHttp2(http2.createServer(answer), 'http');
    break;
}
