import { describe, expect, test } from '@jest/globals';

import { createPipe, openChannel, uid, ProtocolError, type Channel } from '@dsync/protocol';
import { bytesOf } from './helpers.ts';
import { BOX } from './sample-messages.ts';

async function pair(): Promise<readonly [Channel, Channel]> {
  const [a, b] = createPipe();
  return Promise.all([
    openChannel(a, { role: 'master', handshake: { kind: 'handshake', hostname: 'm', algorithm: 'c' } }),
    openChannel(b, { role: 'slave', handshake: { kind: 'handshake', hostname: 's' } }),
  ]);
}

describe('a session between two of us', () => {
  test('each side knows the other before the first message', async () => {
    const [m, s] = await pair();
    expect([m.peer.hostname, m.peer.dialect, s.peer.hostname, s.handshake.algorithm]).toEqual([
      's',
      'native',
      'm',
      'c',
    ]);
    await Promise.all([m.close(), s.close()]);
  });

  test('messages of a mailbox arrive in order, with small and large bodies', async () => {
    const [m, s] = await pair();
    const large = Buffer.alloc(300_000, 'x');
    const sending = (async () => {
      const conversation = m.openMailbox();
      await conversation.send(BOX);
      await conversation.send({ kind: 'mailChange', type: 's', uid: uid(1), guid: 'g', modseq: 2n ** 40n });
      await conversation.send({ kind: 'mail', guid: 'a', stream: true }, Buffer.from('small'));
      await conversation.send({ kind: 'mail', guid: 'b', stream: true }, large);
      await conversation.send({ kind: 'mail', guid: 'c' });
      await conversation.send({ kind: 'listEnd' });
      await m.endMailboxes();
      await m.flush();
    })();
    const conversation = await s.acceptMailbox();
    if (conversation === null) throw new Error('no mailbox');
    expect(await conversation.receive()).toEqual(BOX);
    expect(await conversation.receive()).toEqual({
      kind: 'mailChange',
      type: 's',
      uid: 1,
      guid: 'g',
      modseq: 2n ** 40n,
    });
    const bodies: string[] = [];
    for (let i = 0; i < 3; i++) {
      const mail = await conversation.receive();
      if (mail.kind !== 'mail') throw new Error(mail.kind);
      bodies.push(`${mail.guid}:${(await bytesOf(mail.body)).length}`);
    }
    expect(bodies).toEqual(['a:5', 'b:300000', 'c:0']);
    expect(await conversation.receive()).toEqual({ kind: 'listEnd' });
    expect(await s.acceptMailbox()).toBeNull();
    await sending;
    await Promise.all([m.close(), s.close()]);
  });

  test('a peer that leaves with a reason fails what waits', async () => {
    const [m, s] = await pair();
    const waiting = m.session.receive();
    await s.abort('disk\nfull');
    await expect(waiting).rejects.toMatchObject({ code: 'PeerFailed', message: 'the other side failed: disk full' });
    await m.close();
  });

  test('a peer that closes fails what waits', async () => {
    const [m, s] = await pair();
    const waiting = m.session.receive();
    await s.close();
    await expect(waiting).rejects.toBeInstanceOf(ProtocolError);
    await expect(m.session.receive()).rejects.toMatchObject({ code: 'Closed' });
    await m.close();
  });
});
