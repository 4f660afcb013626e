/** Mails that lie compressed or encrypted in a Maildir. */
import fs from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { describe, expect, test } from '@jest/globals';
import { mailGuid, uid } from '@dsync/protocol';

import { bytesOf } from '../../test-kit/suite/stage.ts';
import { mails, makePlace, mustOpen } from './place.ts';

describe('a mail that a Dovecot has written in another form', () => {
  const plain = Buffer.from('Subject: compressed\n\ntext\n');
  const deliver = async (file: Uint8Array, size: number): Promise<AsyncDisposable & { body: Promise<string> }> => {
    const place = await makePlace();
    fs.writeFileSync(join(place.folder('A'), `cur/1700000001.M9P1.x,S=${size}:2,S`), file);
    const store = await place.open();
    const mailbox = await mustOpen(store);
    const guid = mailGuid(`1700000001.M9P1.x,S=${size}`);
    expect(await mails(mailbox)).toContain(`4=${guid}`);
    const read = async (): Promise<string> => {
      await using content = await mailbox.read(uid(4), guid);
      return content === null ? 'no mail' : (await bytesOf(content.body)).toString();
    };
    return { body: read(), [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
  };

  test('with gzip is read as it was before that, and its size as well', async () => {
    await using read = await deliver(gzipSync(plain), plain.length);
    expect(await read.body).toBe('Subject: compressed\n\ntext\n');
  });

  test('with gzip to just its own size is read so, too', async () => {
    const text = Buffer.alloc(100, 'x');
    const packed = gzipSync(text);
    // A comment (RFC 1952) fills it up.
    const comment = Buffer.alloc(text.length - packed.length - 1, 'c');
    const header = [packed.subarray(0, 3), Buffer.from([0x10]), packed.subarray(4, 10), comment, Buffer.from([0])];
    const file = Buffer.concat([...header, packed.subarray(10)]);
    expect(file).toHaveLength(100);
    await using read = await deliver(file, 100);
    expect(await read.body).toBe('x'.repeat(100));
  });

  test('is a mail like any other if gzip notes another size', async () => {
    const file = Buffer.concat([Buffer.from('1f8b', 'hex'), plain]);
    await using read = await deliver(file, file.length);
    expect(await read.body).toBe(file.toString());
  });

  test.each([
    ['compressed (zstd)', '28b52ffd'],
    ['compressed (bzip2)', '425a6839314159265359'],
    ['encrypted (mail-crypt)', '435259505445440307'],
  ])('%s is not taken for the mail', async (how, beginning) => {
    await using read = await deliver(Buffer.from(`${beginning}0000`, 'hex'), 1000);
    await expect(read.body).rejects.toMatchObject({
      exit: 75,
      message: expect.stringMatching(
        new RegExp(`x,S=1000:2,S is ${how.replace(/[()]/g, '.')}, which dsync cannot read$`),
      ),
    });
  });

  test('damaged is not taken for the mail', async () => {
    const packed = gzipSync(plain);
    await using read = await deliver(packed.fill(0, 12, 20), plain.length);
    await expect(read.body).rejects.toMatchObject({ exit: 75, message: expect.stringContaining('cannot unpack ') });
  });
});
