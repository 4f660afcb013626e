/**
 * The server's half of the doveadm layer after its login, as it is written: as it is for a client of minor 0, in packets
 * for minors 1 to 3, and as one stream with marks in it for later ones (multiplex.ts).
 */
import { LOG_CHANNEL, MAIN_CHANNEL, packetHeader, STREAM_MAGIC, STREAM_MARK } from './multiplex.ts';

/** Writes channels into one stream. What it gives back has to be sent in that order. */
export interface ChannelWriter {
  /** The bytes that stand for these, which belong together, on the session's channel. */
  main(chunks: readonly Buffer[]): readonly Buffer[];
  /** The bytes that stand for these on the channel of log lines; none if it has no place. */
  log(data: Buffer): readonly Buffer[];
}

/** @param minor what the client has announced */
export function channelWriterFor(minor: number): ChannelWriter {
  if (minor === 0) return PLAIN;
  return minor < STREAM_MINOR ? PACKETS : new StreamWriter();
}

/** The first minor whose clients read the stream format. */
const STREAM_MINOR = 4;

const PLAIN: ChannelWriter = { main: (chunks) => chunks, log: () => [] };

const inPacket = (channel: number, chunks: readonly Buffer[]): readonly Buffer[] => {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  return length === 0 ? [] : [packetHeader(channel, length), ...chunks];
};

const PACKETS: ChannelWriter = {
  main: (chunks) => inPacket(MAIN_CHANNEL, chunks),
  log: (data) => inPacket(LOG_CHANNEL, [data]),
};

/** A byte of the data that could be taken for the beginning of a mark. */
const ESCAPED = Buffer.from([...STREAM_MARK, 1]);

class StreamWriter implements ChannelWriter {
  #channel = MAIN_CHANNEL;
  #hasBegun = false;

  main(chunks: readonly Buffer[]): readonly Buffer[] {
    return this.#write(MAIN_CHANNEL, chunks);
  }

  log(data: Buffer): readonly Buffer[] {
    return this.#write(LOG_CHANNEL, [data]);
  }

  #write(channel: number, chunks: readonly Buffer[]): readonly Buffer[] {
    const pieces: Buffer[] = [];
    if (!this.#hasBegun) pieces.push(STREAM_MAGIC);
    this.#hasBegun = true;
    if (channel !== this.#channel) pieces.push(Buffer.from([...STREAM_MARK, 0, channel]));
    this.#channel = channel;
    for (const chunk of chunks) pushEscaped(pieces, chunk);
    return pieces;
  }
}

/** What follows the last byte is not known here, so an 03 there is escaped too. */
function pushEscaped(pieces: Buffer[], chunk: Buffer): void {
  const [first = 0, second = 0] = STREAM_MARK;
  let from = 0;
  for (let at = chunk.indexOf(first); at >= 0; at = chunk.indexOf(first, at + 1)) {
    if (at + 1 < chunk.length && chunk[at + 1] !== second) continue;
    if (at > from) pieces.push(chunk.subarray(from, at));
    pieces.push(ESCAPED);
    from = at + 1;
  }
  if (from < chunk.length) pieces.push(chunk.subarray(from));
}
