/** The client's opening with servers of every minor, and with those of 2.2 that tell theirs late or never. */
import type { Duplex } from 'node:stream';
import { once } from 'node:events';

import { expect, test } from '@jest/globals';

import { MadeUpServer } from './made-up-server.ts';

/** A packet of the channel. */
const packet = (channel: number, text: string): string => String.fromCharCode(channel, 0, 0, 0, text.length) + text;
const LOG = '\u0003careful\n';
const VERSION = (minor: number): string => `VERSION\tdoveadm-client\t1\t${minor}\n`;
const PACKETS = packet(0, '\n+\nHE') + packet(0x4c, LOG) + packet(7, '??') + packet(0, 'LLO');
const STREAM = `\xff\xff\xff\xff\xff\0\u0002\u0003\xfe\n+\nHE\u0003\xfe\0\u004c${LOG}\u0003\xfe\0\0LLO`;
const RAW = '\n+\nHELLO';

/** What the server hears and what the client hears when it says this. */
async function open(
  says: string,
): Promise<{ readonly sent: string; readonly session: string; readonly logs: string[] }> {
  const server = new MadeUpServer(Buffer.from(says, 'latin1'));
  const session = await server.open();
  let heard = '';
  session.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')));
  await once(session, 'end');
  session.destroy();
  return { sent: server.sent, session: heard, logs: server.logs };
}

const HELLO = 'VERSION\tdoveadm-server\t1\t4\n';
const PLAIN = 'PLAIN\tAGRvdmVhZG0AcHc=\n';
const OPTION = '\t\tOPTION\tlog-passthrough\n';
const COMMAND = '\tu1\tdsync-server\t-uu1\n';

test.each([
  ['no VERSION at all', `-\n+\n${RAW}`, HELLO + PLAIN + COMMAND, []],
  ['no VERSION, and trust', `+\n${RAW}`, HELLO + COMMAND, []],
  ['minor 0', `${VERSION(0)}-\n+\n${RAW}`, HELLO + PLAIN + COMMAND, []],
  ['minor 1', `${VERSION(1)}-\n+\n${PACKETS}`, HELLO + PLAIN + COMMAND, ['warning: careful']],
  ['minor 2', `${VERSION(2)}-\n+\n${PACKETS}`, HELLO + PLAIN + COMMAND, ['warning: careful']],
  ['minor 3', `${VERSION(3)}-\n+\n${PACKETS}`, HELLO + PLAIN + OPTION + COMMAND, ['warning: careful']],
  ['minor 4 in packets', `${VERSION(4)}-\n+\n${PACKETS}`, HELLO + PLAIN + OPTION + COMMAND, ['warning: careful']],
  ['minor 4 in a stream', `${VERSION(4)}-\n+\n${STREAM}`, HELLO + PLAIN + OPTION + COMMAND, ['warning: careful']],
  ['a later minor in a stream', `${VERSION(9)}-\n+\n${STREAM}`, HELLO + PLAIN + OPTION + COMMAND, ['warning: careful']],
  ['minor 4, trust and a stream', `${VERSION(4)}+\n${STREAM}`, HELLO + OPTION + COMMAND, ['warning: careful']],
  ['minor 2 and trust', `${VERSION(2)}+\n${PACKETS}`, HELLO + COMMAND, ['warning: careful']],
  ['VERSION after the sign', `-\n${VERSION(1)}+\n${PACKETS}`, HELLO + PLAIN + COMMAND, ['warning: careful']],
  ['VERSION after trust', `+\n${VERSION(1)}${PACKETS}`, HELLO + COMMAND, ['warning: careful']],
  ['VERSION 0 after trust', `+\n${VERSION(0)}${RAW}`, HELLO + COMMAND, []],
] as const)('a server with %s', async (_name, says, sent, logs) => {
  expect(await open(says)).toEqual({ sent, session: 'HELLO', logs });
});

test.each([
  ['REFERRAL mail2.example.org', 75, 'the server sends u1 to another one: mail2.example.org'],
  ['EXPIRED', 75, 'the server refused the session: passed on by too many proxies, or too late (EXPIRED)'],
  ['NOREPLICATE', 75, 'the server refused the session: NOREPLICATE'],
  ['NOPERM', 77, 'the server refused the session: NOPERM'],
  ['NOUSER', 67, "User doesn't exist: u1"],
  ['', 75, 'the server refused the session: it knows no dsync-server'],
] as const)('the refusal %j', async (word, exit, message) => {
  await expect(open(`${VERSION(2)}-\n+\n${packet(0, `\n-${word}\n`)}`)).rejects.toMatchObject({ exit, message });
});

test.each([
  ['a server of minor 1', `${VERSION(1)}-\n`, HELLO, 'the server does not offer STARTTLS'],
  ['a server without VERSION', '-\n', HELLO, 'the server does not offer STARTTLS'],
  ['a server that wants no password', `${VERSION(3)}+\n`, HELLO, 'the server does not offer STARTTLS'],
  [
    'clear text behind the greeting',
    `${VERSION(3)}-\n+\n${PACKETS}`,
    `${HELLO}STARTTLS\n`,
    'clear text before STARTTLS',
  ],
] as const)('encryption is not given up for %s, and no password is sent', async (_name, says, sent, message) => {
  const startTls = (): Promise<Duplex> => Promise.reject(new Error('nobody may get here'));
  const server = new MadeUpServer(Buffer.from(says, 'latin1'));
  await expect(server.open({ startTls })).rejects.toThrow(message);
  expect(server.sent).toBe(sent);
});
