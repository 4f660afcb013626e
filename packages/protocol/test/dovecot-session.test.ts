import type { Duplex } from 'node:stream';

import { describe, expect, test } from '@jest/globals';

import { createPipe, openChannel, uid, type Channel, type ChannelOptions, type Received } from '@dsync/protocol';

import { printPreamble } from '../src/handshake/preamble.ts';
import { bytesOf, settle } from './helpers.ts';
import { BOX, GUID, STATE } from './sample-messages.ts';

const END = { kind: 'listEnd' } as const;
const MAIL = { kind: 'mail', guid: 'g', stream: true } as const;
const DELETES = { kind: 'mailboxDelete', separator: '/' } as const;
const B = `B${GUID}\t1\t2\t1\t1\t1\t0\n`;
const S = `S${GUID}\t1\t1\t1\t0\n`;

async function pair(): Promise<readonly [Channel, Channel]> {
  const [a, b] = createPipe();
  return Promise.all([
    openChannel(a, {
      role: 'master',
      dialect: 'dovecot',
      handshake: { kind: 'handshake', hostname: 'm', algorithm: 'c', dryRun: true },
    }),
    openChannel(b, { role: 'slave', handshake: { kind: 'handshake', hostname: 's' } }),
  ]);
}

/** A Dovecot of which we write every byte. */
async function raw(
  role: 'master' | 'slave',
  handshake: string,
  minor = 5,
  options: Partial<ChannelOptions> = {},
): Promise<{ readonly channel: Channel; readonly peer: Duplex; readonly heard: () => string }> {
  const [carrier, peer] = createPipe();
  const heard: Buffer[] = [];
  peer.on('data', (chunk: Buffer) => heard.push(chunk));
  peer.on('error', () => undefined);
  const opening = printPreamble(null).toString().replace('\t3\t5\n', `\t3\t${minor}\n`);
  peer.write(`${opening}${handshake}\n`);
  const channel = await openChannel(carrier, { role, handshake: { kind: 'handshake', hostname: 'us' }, ...options });
  return {
    channel,
    peer,
    heard: () => {
      const all = Buffer.concat(heard).toString('latin1');
      return all.slice(all.indexOf('\n.\n') + 3);
    },
  };
}

async function take(receive: () => Promise<Received>, count: number): Promise<string[]> {
  const kinds: string[] = [];
  for (let i = 0; i < count; i++) kinds.push((await receive()).kind);
  return kinds;
}

describe('a session in text between two of us', () => {
  test('is agreed when one side does not offer the native dialect', async () => {
    const [m, s] = await pair();
    expect([m.peer.dialect, s.peer.dialect, m.window, s.window, s.peer.features.size]).toEqual([
      'dovecot',
      'dovecot',
      1,
      1,
      0,
    ]);
    expect(s.handshake).toEqual({
      kind: 'handshake',
      hostname: 'm',
      algorithm: 'c',
      hashedHeaders: ['Date', 'Message-ID'],
    });
    expect(m.handshake).toEqual({ kind: 'handshake', hostname: 's', hashedHeaders: [] });
    await Promise.all([m.close(), s.close()]);
  });

  test('goes through trees, mailboxes and end', async () => {
    const [m, s] = await pair();
    const large = Buffer.alloc(400_000, '.\n.line\r\n');
    const master = async (): Promise<string[]> => {
      await m.session.send({ kind: 'treeNode', path: ['a/b', 'é'], existence: 'y', mailboxGuid: GUID });
      await m.session.send(END);
      await m.session.send(DELETES);
      const seen = await take(() => m.session.receive(), 2);
      for (let i = 0; i < 2; i++) {
        const mailbox = m.openMailbox();
        await mailbox.send(BOX);
        seen.push(...(await take(() => mailbox.receive(), 1)));
        await mailbox.send(MAIL, Buffer.from('.'));
        await mailbox.send(
          MAIL,
          (async function* () {
            for (let at = 0; at < large.length; at += 1001) yield large.subarray(at, at + 1001);
          })(),
        );
        await mailbox.send(END);
        await mailbox.send(STATE);
        seen.push(...(await take(() => mailbox.receive(), 1)));
      }
      await m.endMailboxes();
      seen.push(...(await take(() => m.session.receive(), 1)));
      return seen;
    };
    const slave = async (): Promise<number[]> => {
      await take(() => s.session.receive(), 3);
      await s.session.send(END);
      await s.session.send(DELETES);
      const sizes: number[] = [];
      for (let box = await s.acceptMailbox(); box !== null; box = await s.acceptMailbox()) {
        const mailbox = box;
        await mailbox.receive();
        await mailbox.send(BOX);
        for (let mail = await mailbox.receive(); mail.kind === 'mail'; mail = await mailbox.receive()) {
          const bytes = await bytesOf(mail.body);
          expect(bytes.length <= 1 || bytes.equals(large)).toBe(true);
          sizes.push(bytes.length);
        }
        await mailbox.send(STATE);
        await mailbox.receive();
      }
      await s.session.send({ kind: 'finish' });
      await s.session.send({ kind: 'done' });
      await s.close();
      return sizes;
    };
    const [seen, sizes] = await Promise.all([master(), slave()]);
    expect(seen).toEqual(['listEnd', 'mailboxDelete', 'mailbox', 'mailboxState', 'mailbox', 'mailboxState', 'finish']);
    expect(sizes).toEqual([1, 400_000, 1, 400_000]);
    await m.close();
  });
});

describe('a Dovecot at the other end', () => {
  const SLAVE = 'Hsrv\t\u0002';

  test('is told masks of names to leave out as it compares them', async () => {
    const excluding = { kind: 'handshake', hostname: 'us', excludeMailboxes: ['100% sure', 'Lists/*'] } as const;
    const [carrier, peer] = createPipe();
    const heard: Buffer[] = [];
    peer.on('data', (chunk: Buffer) => heard.push(chunk));
    peer.write(
      `${printPreamble(null)
        .toString()
        .replace(/^@.*\n/m, '')}${SLAVE}\n`,
    );
    await openChannel(carrier, { role: 'master', handshake: excluding });
    await settle();
    expect(Buffer.concat(heard).toString()).toContain('\t100%25 sure\u0001tLists/*\t');
    // A peer of our own kind that wants text compares the names as they are.
    const { heard: told } = await raw('master', SLAVE, 5, { handshake: excluding });
    await settle();
    expect(told()).toContain('\t100% sure\u0001tLists/*\t');
  });

  test('hears exactly what a Dovecot would say', async () => {
    const { channel, heard } = await raw('master', SLAVE, 5, {
      handshake: { kind: 'handshake', hostname: 'us', algorithm: 'c', sendMailRequests: true, altChar: '_' },
    });
    await channel.session.send(END);
    await channel.session.send(DELETES);
    const mailbox = channel.openMailbox();
    await mailbox.send({
      ...BOX,
      haveGuids: true,
      haveSaveGuids: true,
      cacheFields: 'flags\tt\t',
      digest: 'native alone',
    });
    await mailbox.send({ kind: 'mail', guid: 'g', received: 1700000001, stream: true }, Buffer.from('.a\n.b'));
    await mailbox.send(STATE);
    await channel.endMailboxes();
    await channel.flush();
    await settle();
    const nulls = (n: number): string => '\t\u0002'.repeat(n);
    expect(heard()).toBe(
      `Hus${nulls(3)}\tc${nulls(3)}\t${nulls(14)}\tDate\u0001tMessage-ID\t_\n.\nD/\nB${GUID}\t1\t2\t1\t1\t1\t0${nulls(2)}\tflags\u0001tt\u0001t\t\t\n` +
        `Mg${nulls(3)}\t1700000001\t\u0002\t\n..a\n..b\r\n.\r\nS${GUID}\t1\t1\t1\t0\n.\n`,
    );
    await channel.close();
  });

  test.each([
    ['one that is below 3.1 gets and gives no attributes', 0, [], 'CC'],
    ['any other gets and gives them', 1, ['listEnd'], 'ACC'],
  ])('%s', async (_name, minor) => {
    const { channel, peer, heard } = await raw('slave', 'Hcli', minor);
    peer.write(`.\nD/\n${B}${minor < 1 ? '' : '.\n'}Cs\t1\tg\n.\n`);
    await take(() => channel.session.receive(), 2);
    const mailbox = await channel.acceptMailbox();
    if (mailbox === null) throw new Error('no mailbox');
    expect(await take(() => mailbox.receive(), 4)).toEqual(['mailbox', 'listEnd', 'mailChange', 'listEnd']);
    await mailbox.send(BOX);
    await mailbox.send({ kind: 'attribute', type: 'p', key: 'k', value: 'v' });
    await mailbox.send(END);
    await mailbox.send({ kind: 'mailChange', type: 's', uid: uid(1), guid: 'g' });
    await mailbox.send(END);
    await channel.flush();
    await settle();
    const lines = heard()
      .split('\n')
      .map((line) => line[0] ?? '');
    expect(lines.join('')).toBe(minor < 1 ? 'HBC.' : 'HBA.C.');
    await channel.close();
  });

  test('one below 3.3 is left with X, and is not waited for', async () => {
    const { channel, peer, heard } = await raw('master', SLAVE, 2);
    peer.write('.\nD/\n');
    await take(() => channel.session.receive(), 2);
    await channel.endMailboxes();
    expect(await channel.session.receive()).toEqual({ kind: 'finish' });
    await settle();
    expect(heard().endsWith('\n.\nX\n')).toBe(true);
    await channel.close();
  });

  test('an error at its end, and X behind it, are told apart from a failure', async () => {
    const { channel, peer } = await raw('master', SLAVE);
    peer.end('.\nD/\nFno space\t6\nX\n');
    await take(() => channel.session.receive(), 2);
    expect(await channel.session.receive()).toEqual({ kind: 'finish', error: 'no space', mailError: 6 });
    await expect(channel.session.receive()).rejects.toMatchObject({ code: 'PeerFailed' });
    await channel.close();
  });

  test.each([
    ['X', 'X\n', 'PeerFailed'],
    ['X and more', 'Xwhatever\n', 'PeerFailed'],
    ['a finish', 'Fno space\t6\n', 'PeerFailed'],
    ['its end', '', 'Closed'],
    ['half a line', 'Cs\t1', 'Closed'],
    ['half a mail', 'Mg\t\u0002\t\u0002\t\u0002\t\u0002\t\u0002\t\nabc\n', 'Closed'],
    ['an unknown item', 'Zx\n', 'Garbage'],
    ['a message of the session', `Na\ty\n`, 'Unexpected'],
    ['a second B', B, 'Unexpected'],
    ['the state of another mailbox', S.replace('0123', 'ffff'), 'Unexpected'],
    ['UIDs that do not ascend', 'Cs\t2\tg\nCs\t2\th\n', 'BadValue'],
    ['a line over 8 MiB', 'x'.repeat(8 * 1024 * 1024 + 1), 'LimitExceeded'],
  ])('%s in the middle of a mailbox ends it', async (_name, bytes, code) => {
    const { channel, peer } = await raw('slave', 'Hcli');
    peer.write(`.\nD/\n${B}`);
    peer.end(bytes);
    const read = async (): Promise<void> => {
      await take(() => channel.session.receive(), 2);
      // What is wrong may arrive before the mailbox is accepted, or while it is read.
      const mailbox = await channel.acceptMailbox();
      await take(() => mailbox?.receive() ?? Promise.reject(new Error('no mailbox')), 5);
    };
    await expect(read()).rejects.toMatchObject({ name: 'ProtocolError', code });
    // Whether that is refused depends on how it ended; it must not wait for ever.
    await channel.session.send(END).catch(() => undefined);
    await channel.abort('no');
  });

  test.each([
    ['a mailbox before the tree has ended', B, 'Unexpected'],
    ['a second handshake', 'Hcli\n', 'Unexpected'],
    ['a mail', 'Mg\n', 'Unexpected'],
  ])('%s ends the session', async (_name, bytes, code) => {
    const { channel, peer } = await raw('slave', 'Hcli');
    peer.write(bytes);
    await expect(channel.session.receive()).rejects.toMatchObject({ name: 'ProtocolError', code });
    await channel.close();
  });

  test('what would crash it is not sent', async () => {
    const { channel, heard } = await raw('slave', 'Hcli');
    const mailbox = channel.session;
    await expect(mailbox.send({ kind: 'mailChange', type: 's', uid: uid(1) })).rejects.toMatchObject({
      code: 'BadValue',
    });
    await expect(mailbox.send({ kind: 'mailRequest' })).rejects.toMatchObject({ code: 'BadValue' });
    await expect(mailbox.send({ kind: 'attribute', type: 'p', key: 'k' })).rejects.toMatchObject({ code: 'BadValue' });
    await channel.flush();
    await settle();
    expect(heard()).toBe('Hus' + '\t\u0002'.repeat(22) + '\t\n');
    await channel.close();
  });

  test('when we leave, it hears X', async () => {
    const { channel, heard } = await raw('slave', 'Hcli');
    await channel.abort('the reason has no place');
    await settle();
    expect(heard().endsWith('\nX\n')).toBe(true);
  });

  test('a reader that is slow holds it back after a few MiB', async () => {
    const { channel, peer } = await raw('slave', 'Hcli');
    peer.write(`.\nD/\n${B}Mg\t\u0002\t\u0002\t\u0002\t\u0002\t\u0002\t\n`);
    let written = 0;
    const chunk = Buffer.alloc(64 * 1024, 'x\n');
    const pump = (): void => {
      while (written < 20 * 1024 * 1024) {
        written += chunk.length;
        if (!peer.write(chunk)) return;
      }
      peer.end('\r\n.\r\n.\n');
    };
    peer.on('drain', pump);
    pump();
    await take(() => channel.session.receive(), 2);
    const mailbox = await channel.acceptMailbox();
    if (mailbox === null) throw new Error('no mailbox');
    await mailbox.receive();
    const mail = await mailbox.receive();
    await settle();
    expect(written).toBeLessThan(4 * 1024 * 1024);
    if (mail.kind !== 'mail') throw new Error(mail.kind);
    expect((await bytesOf(mail.body)).length).toBe(20 * 1024 * 1024);
    expect(await mailbox.receive()).toEqual(END);
    await channel.close();
  }, 20_000);

  test('a body that nobody reads lets the next message through', async () => {
    const { channel, peer } = await raw('slave', 'Hcli');
    peer.write(`.\nD/\n${B}Mg\t\u0002\t\u0002\t\u0002\t\u0002\t\u0002\t\n`);
    peer.write(Buffer.alloc(3_000_000, 'x'));
    peer.write('\r\n.\r\n.\n');
    await take(() => channel.session.receive(), 2);
    const mailbox = await channel.acceptMailbox();
    expect(await take(() => mailbox?.receive() ?? Promise.reject(new Error('no mailbox')), 3)).toEqual([
      'mailbox',
      'mail',
      'listEnd',
    ]);
    await channel.close();
  });
});
