/** Mails that a careless program would change on the way, or trip over. */

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const HEADER = 'From: a@example.org\nSubject: odd\n\n';

/** Text of this length that ends with `end`, so that a chunk border comes in the middle of it. */
const endingAt = (length: number, end: string): string => `${'x'.repeat(length - end.length)}${end}`;

/** By what is odd about them. */
export const ODD_MAILS: Readonly<Record<string, Buffer>> = {
  empty: bytes(''),
  'one LF': bytes('\n'),
  'one CRLF': bytes('\r\n'),
  'one CR': bytes('\r'),
  'one byte': bytes('x'),
  'header without an empty line': bytes('Subject: x'),
  'header and nothing else': bytes(HEADER),
  'CRLF throughout': bytes(`${HEADER}one\ntwo\n`.replaceAll('\n', '\r\n')),
  'LF throughout': bytes(`${HEADER}one\ntwo\n`),
  'line ends mixed': bytes('Subject: mixed\r\nX: y\n\r\none\ntwo\r\nthree\n\r\n'),
  'no line end at the end': bytes(`${HEADER}last`),
  'CR at the end': bytes(`${HEADER}last\r`),
  'bare CRs': bytes(`${HEADER}one\rtwo\r\r\nthree\r\n`),
  'CR CR LF': bytes(`${HEADER}one\r\r\ntwo\r\r\r\n`),
  NULs: bytes(`${HEADER}\0one\0\0\ntwo\0`),
  'all bytes': Buffer.concat([bytes(HEADER), Buffer.from(Array.from({ length: 256 }, (_, i) => i))]),
  'protocol characters': bytes(`${HEADER}\x01\x02\t\x01t\x01n\x02\x02\n`),
  'lines of dots': bytes(`${HEADER}.\n..\n...\n.x\n..x\n.\n`),
  'lines of dots with CRLF': bytes(`Subject: dots\r\n\r\n.\r\n..\r\n...\r\n.x\r\n.\r\n`),
  'what ends a mail on the wire, inside it': bytes(`${HEADER}one\r\n.\r\nF\nX\n`),
  'a dot behind a CR': bytes(`${HEADER}one\r.\rtwo\r\n`),
  'a dot at the end': bytes(`${HEADER}one\n.`),
  'an mbox line in front': bytes('From a@example.org Tue Nov 14 22:13:20 2023\nSubject: x\n\nFrom here\n>From there\n'),
  'not UTF-8': bytes('Subject: \xff\xfe\x80\n\n\xc3\x28\xf0\x9f\n'),
  'a line of 100,000 bytes': bytes(`${HEADER}${'long '.repeat(20_000)}\n`),
  'a header line of 20,000 bytes': bytes(`Subject: ${'y'.repeat(20_000)}\nX: z\n\nbody\n`),
  'no header': bytes('\nbody only\n'),
  'only blank lines': bytes('\n\r\n\n\r\n'),
  '65,535 bytes': bytes(endingAt(65_535, '\n.')),
  '65,536 bytes': bytes(endingAt(65_536, '\r\n')),
  '65,537 bytes': bytes(endingAt(65_537, '\r\n.')),
  'a dot behind the border of chunks': bytes(`${endingAt(65_536, '\n')}.\n.x\n`),
  'CR and LF in two chunks': bytes(`${endingAt(65_536, '\r')}\n.\r\n`),
  '200,000 bytes of dots and line ends': bytes(`${HEADER}${'.\r\n.\n..\r\n'.repeat(22_000)}`),
  'a dot in front': bytes('.Subject: x\n\nbody\n'),
  'two dots in front': bytes('..Subject: x\n\nbody\n'),
  'nothing but a dot': bytes('.\n'),
};
