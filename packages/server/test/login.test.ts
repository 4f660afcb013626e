import { describe, expect, test } from '@jest/globals';

import { plain, PASSWORD, RawClient, startDaemon } from './rig.ts';

const VERSION = 'VERSION\tdoveadm-server\t1\t2\n';
const GREETING = 'VERSION\tdoveadm-client\t1\t4\n-\n';

/** The text of a packet on the session's channel. */
const packet = (text: string): string => packetOf('\0', text);
const packetOf = (channel: string, text: string): string =>
  `${channel}\0\0\0${String.fromCharCode(text.length)}${text}`;

/** What every mark in the stream format begins with. */
const MARK = '\u0003\xfe';

/** How the stream format begins. */
const STREAM = '\xff\xff\xff\xff\xff\0\u0002\u0003\xfe';

describe('the opening', () => {
  test.each([
    [0, '', '\n+\nVERSION\tdsync\t3\t'],
    [1, 'VERSION\tdoveadm-client\t1\t4\n', packet('\n+\n')],
    [2, 'VERSION\tdoveadm-client\t1\t4\n', packet('\n+\n')],
    [3, 'VERSION\tdoveadm-client\t1\t4\n', packet('\n+\n')],
    [4, 'VERSION\tdoveadm-client\t1\t4\n', `${STREAM}\n+\nVERSION\tdsync\t3\t`],
    [9, 'VERSION\tdoveadm-client\t1\t4\n', `${STREAM}\n+\nVERSION\tdsync\t3\t`],
  ])('a peer of minor %i', async (minor, version, opening) => {
    await using rig = await startDaemon();
    using client = RawClient.to(rig.port);
    client.say(`VERSION\tdoveadm-server\t1\t${minor}\n`);
    await client.hears(/-\n$/);
    expect(client.heard).toBe(`${version}-\n`);
    client.say(plain(PASSWORD));
    await client.hears(/\+\n$/);
    client.say('\tu1\tdsync-server\t-uu1\n');
    await client.hears(/VERSION\tdsync\t3\t/);
    expect(client.heard.startsWith(`${version}-\n+\n${opening}`)).toBe(true);
  });

  test('a peer that sends byte by byte is served too', async () => {
    await using rig = await startDaemon();
    using client = RawClient.to(rig.port);
    client.socket.setNoDelay(true);
    for (const byte of Buffer.from(`${VERSION}${plain(PASSWORD)}\tu1\tdsync-server\t-u\tu1\n`))
      client.say(Buffer.of(byte));
    await client.hears(/VERSION\tdsync\t3\t/);
  });
});

describe('log lines of ours', () => {
  const ask = async (minor: number, option: string): Promise<string> => {
    await using rig = await startDaemon();
    using client = RawClient.to(rig.port);
    client.say(`VERSION\tdoveadm-server\t1\t${minor}\n${plain(PASSWORD)}${option}\tu9\tdsync-server\t-uu9\n`);
    return await client.untilClosed();
  };
  const OPTION = '\t\tOPTION\tlog-passthrough\n';
  test.each([
    [3, packetOf('L', "\u0004dsync-server(u9): User doesn't exist: u9\n") + packetOf('\0', '\n-NOUSER\n')],
    [4, `${STREAM}${MARK}\0L\u0004dsync-server(u9): User doesn't exist: u9\n${MARK}\0\0\n-NOUSER\n`],
  ])('byte by byte, for minor %i', async (minor, bytes) => {
    expect(await ask(minor, OPTION)).toBe(`${GREETING}+\n${bytes}`);
  });

  const LINE = "\u0004dsync-server(u9): User doesn't exist: u9\n";

  test.each([
    ['no peer of minor 0', 0, '', false],
    ['every peer of minor 1', 1, '', true],
    ['every peer of minor 2', 2, '', true],
    ['no peer of minor 3 that does not ask', 3, '', false],
    ['a peer of minor 3 that asks', 3, OPTION, true],
    ['a peer of a later minor that asks', 4, OPTION, true],
    ['no peer that asks for something else', 3, '\t\tOPTION\tother\n', false],
    ['a peer that asks for something else, too', 3, `\t\tOPTION\tother\n${OPTION}`, true],
  ])('reach %s', async (_name, minor, option, reached) => {
    const answer = await ask(minor, option);
    expect(answer.includes(LINE)).toBe(reached);
    // Whatever is told besides, the answer is the same.
    expect(answer).toMatch(/\n-NOUSER\n$/);
  });

  test('a command with extra fields is understood', async () => {
    await using rig = await startDaemon();
    using client = RawClient.to(rig.port);
    client.say(
      `VERSION\tdoveadm-server\t1\t3\n${plain(PASSWORD)}${OPTION}x\tproxy-ttl=1\u0001tforward=abc\tu1\tdsync-server\t-uu1\n`,
    );
    await client.hears(/VERSION\tdsync\t3\t/);
  });
});

describe('what is refused', () => {
  test('whoever does not prove the password, slowly and without a reason', async () => {
    await using rig = await startDaemon();
    const attempts = [
      plain('wrong'),
      plain(''),
      plain(PASSWORD, 'root'),
      plain(`${PASSWORD} `),
      'LOGIN\tabc\n',
      '\tu1\tdsync-server\t-uu1\n',
      'STARTTLS\n',
    ];
    const answers = attempts.map(async (bytes) => {
      using client = RawClient.to(rig.port);
      return await client.say(`${VERSION}${bytes}`).untilClosed();
    });
    expect(await Promise.all(answers)).toEqual(attempts.map(() => `${GREETING}-\n`));
  });

  test.each([
    ['HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', ''],
    ['another major', 'VERSION\tdoveadm-server\t2\t0\n', ''],
    ['a TLS hello', Buffer.from([0x16, 3, 1, 0, 4, 1, 0, 0, 0, 0x0a]), ''],
    ['a line without end', 'V'.repeat(20_000), ''],
    ['a PLAIN line without end', `${VERSION}PLAIN\t${'A'.repeat(20_000)}`, GREETING],
    ['bytes that are no text', Buffer.from([0xc3, 0x28, 0x0a]), ''],
  ])('%s', async (_name, bytes, answer) => {
    await using rig = await startDaemon();
    using client = RawClient.to(rig.port);
    client.say(bytes);
    expect(await client.untilClosed()).toBe(answer);
  });

  test.each([
    ['an unknown user', '\tnobody\tdsync-server\t-unobody\n', '-NOUSER'],
    ['a way out of the folder', '\t../u1\tdsync-server\t-u../u1\n', '-NOUSER'],
    ['a path', '\tu1/../u2\tdsync-server\t-ux\n', '-NOUSER'],
    ['an absolute path', '\t/etc\tdsync-server\t-u/etc\n', '-NOUSER'],
    ['NUL in a name', '\tu1\u00010x\tdsync-server\n', '-NOUSER'],
    ['a very long name', `\t${'u'.repeat(300)}\tdsync-server\n`, '-NOUSER'],
    ['no user at all', '\t\tdsync-server\n', '-USAGE'],
    ['another command', '\tu1\tfetch\ttext\n', '-USAGE'],
    ['an unknown option', '\tu1\tdsync-server\t-Q\n', '-USAGE'],
    ['a file of ours to write to', '\tu1\tdsync-server\t-r/tmp/x\n', '-USAGE'],
    ['a timeout that is none', '\tu1\tdsync-server\t-Tx\n', '-USAGE'],
  ])('%s', async (_name, command, word) => {
    await using rig = await startDaemon();
    using client = RawClient.to(rig.port);
    client.say(`${VERSION}${plain(PASSWORD)}${command}`);
    const answer = await client.untilClosed();
    expect(answer).toContain(packet(`\n${word}\n`));
    // Nothing of where mail lies is told.
    expect(answer).not.toContain(rig.mail);
  });

  test.each([
    ['an unknown flag of a command line', 'q\tu1\tdsync-server\n'],
    ['a command line of two fields', '\tu1\n'],
    ['a command line that is none', 'GET / HTTP/1.1\r\n'],
    ['a command line without end', `\tu1\t${'x'.repeat(20_000)}`],
    ['a command line of bytes that are no text', Buffer.from([0x09, 0xff, 0x09, 0xfe, 0x0a])],
    ['options without end', '\t\tOPTION\tlog-passthrough\n'.repeat(1000)],
    ['a second password', plain(PASSWORD)],
    ['STARTTLS after the password', 'STARTTLS\n'],
  ])('%s', async (_name, bytes) => {
    await using rig = await startDaemon();
    using client = RawClient.to(rig.port);
    client.say(Buffer.concat([Buffer.from(`${VERSION}${plain(PASSWORD)}`), Buffer.from(bytes)]));
    expect(await client.untilClosed()).toBe(`${GREETING}+\n`);
  });

  test('everybody, where no password is set', async () => {
    await using rig = await startDaemon('tcp:127.0.0.1:0', ['doveadm_password=']);
    using client = RawClient.to(rig.port);
    client.say(`${VERSION}${plain('')}`);
    expect(await client.untilClosed()).toBe(`${GREETING}-\n`);
  });

  test('an address that goes on guessing', async () => {
    await using rig = await startDaemon();
    const guesses = Array.from({ length: 10 }, async () => {
      using client = RawClient.to(rig.port);
      client.say(`${VERSION}${plain('guess')}`);
      return await client.untilClosed();
    });
    expect(new Set(await Promise.all(guesses))).toEqual(new Set([`${GREETING}-\n`]));
    using client = RawClient.to(rig.port);
    expect(await client.say(`${VERSION}${plain(PASSWORD)}`).untilClosed()).toBe('');
  });

  test('more strangers from one address than the limit', async () => {
    await using rig = await startDaemon();
    const clients = Array.from({ length: 16 }, () => RawClient.to(rig.port).say(VERSION));
    await Promise.all(clients.map((client) => client.hears(/-\n$/)));
    using late = RawClient.to(rig.port);
    expect(await late.say(VERSION).untilClosed()).toBe('');
    for (const client of clients) client.socket.destroy();
  });
});

test('a UNIX socket of mode 0600 is trusted', async () => {
  await using rig = await startDaemon('unix:FOLDER/socket');
  const { connect } = await import('node:net');
  using client = new RawClient(connect(`${rig.folder}/socket`));
  client.say(`${VERSION}\tu1\tdsync-server\t-uu1\n`);
  await client.hears(/VERSION\tdsync\t3\t/);
  expect(client.heard.startsWith('VERSION\tdoveadm-client\t1\t4\n+\n')).toBe(true);
});
