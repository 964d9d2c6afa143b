// SPDX-License-Identifier: Apache-2.0
import {mkdirSync, mkdtempSync, rmSync, symlinkSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import type {Session} from '../../../src/session/history.js';
import {openSession} from '../../../src/session/index.js';
import {settle} from '../../../src/session/settle.js';
import {encodeJson, makeEvent} from '../../helpers/records.js';

let workdir: string;
let session: Session;
beforeEach(() => {
  workdir = mkdtempSync(join(tmpdir(), 'scope-settle-'));
  session = {id: 1, cmd: 'x', pid: 4_194_999, start: Date.now() - 60_000, workdir};
});
afterEach(() => {
  rmSync(workdir, {recursive: true, force: true});
});

const never = () => {
  throw new Error('no relay is to be started');
};

describe('settle', () => {
  it('takes a session that has ended, and a folder that never had a relay, as they are', async () => {
    expect(await settle(session, {startRelay: never})).toBe('complete');
    const w = openSession(workdir, {encode: encodeJson});
    w.setStatus({state: 'ended'});
    w.close();
    expect(await settle(session, {startRelay: never})).toBe('complete');
  });

  it('waits until a whole pass of the living relay began after the question', async () => {
    const w = openSession(workdir, {encode: encodeJson});
    let commits = 0;
    const relay = setInterval(() => {
      if (commits === 3) w.append([makeEvent()]);
      w.commit();
      commits += 1;
    }, 20);
    try {
      expect(await settle(session, {startRelay: never})).toBe('current');
      expect(commits).toBeGreaterThanOrEqual(2);
    } finally {
      clearInterval(relay);
      w.close();
    }
  });

  it('waits while the relay is behind', async () => {
    const w = openSession(workdir, {encode: encodeJson});
    let commits = 0;
    w.behind = true;
    const relay = setInterval(() => {
      w.behind = commits < 5;
      w.commit();
      commits += 1;
    }, 20);
    try {
      expect(await settle(session, {startRelay: never})).toBe('current');
      expect(commits).toBeGreaterThanOrEqual(6);
    } finally {
      clearInterval(relay);
      w.close();
    }
  });

  it('waits for a relay that drains', async () => {
    const w = openSession(workdir, {encode: encodeJson});
    w.setStatus({state: 'draining'});
    const timer = setTimeout(() => {
      w.append([makeEvent()]);
      w.setStatus({state: 'ended'});
      w.close();
    }, 50);
    expect(await settle(session, {startRelay: never})).toBe('complete');
    clearTimeout(timer);
  });

  it('starts a relay when the one of the session is dead', async () => {
    mkdirSync(join(workdir, 'channels'));
    let started = 0;
    const startRelay = () => {
      started += 1;
      const w = openSession(workdir, {encode: encodeJson});
      w.setStatus({state: 'ended'});
      w.close();
    };
    expect(await settle(session, {startRelay})).toBe('complete');
    expect(started).toBe(1);
  });

  it('takes a session as it is when its channels went with a restart of the machine', async () => {
    const w = openSession(workdir, {encode: encodeJson});
    w.append([makeEvent()]);
    w.close();
    symlinkSync('/dev/shm/scope-no-such-folder', join(workdir, 'channels'));
    expect(await settle(session, {startRelay: never})).toBe('complete');
  });

  it('reads on after its limit', async () => {
    mkdirSync(join(workdir, 'channels'));
    expect(await settle(session, {startRelay: () => undefined, limitMs: 100})).toBe('partial');
  });
});
