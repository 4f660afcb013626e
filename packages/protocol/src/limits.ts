/**
 * Every limit of a session, with its reason. A peer that goes one past a limit gets `LimitExceeded`; we never send
 * what exceeds one. Bytes unless said otherwise.
 */

/** Type and payload of one frame. A length above it is refused before anything is allocated. */
export const MAX_FRAME = 1024 * 1024;

/** One piece of a body: large enough to make per-frame cost vanish, small enough to share the carrier fairly. */
export const BODY_CHUNK = 64 * 1024;

/** Bodies up to here travel inside their batch, so a mailbox of small mails needs no frame for each. */
export const INLINE_BODY = 64 * 1024;

/** A batch is closed when it reaches this size … */
export const BATCH_BYTES = 128 * 1024;

/** … or this number of records: past some hundreds a larger batch is no faster, only later. */
export const BATCH_RECORDS = 500;

/** Records that we accept in one batch: bounds what decoding one frame can cost. */
export const MAX_BATCH_RECORDS = 4096;

/** Values in one batch's records, lists counted by their elements: bounds memory after decoding. */
export const MAX_BATCH_VALUES = 512 * 1024;

/** Nesting of lists in records: batch, record, list, and one level to spare. */
export const MAX_NESTING = 4;

/** One text, in UTF-8 bytes: the longest legitimate ones are attribute values and cache fields. */
export const MAX_TEXT = 256 * 1024;

/** One message without its body: must fit a frame with room to spare. About 40,000 remembered deletions. */
export const MAX_RECORD = 900 * 1024;

/** A single mailbox name part or GUID never comes near it; lists of parts, headers and keywords are bounded in elements. */
export const MAX_LIST = 16_384;

/** Parts of a mailbox name. Deeper trees are refused by every store long before. */
export const MAX_PATH_PARTS = 256;

/** One part of a mailbox name, in UTF-8 bytes. Stores have stricter limits of their own. */
export const MAX_NAME_PART = 4096;

/** Deletions in one list: the log of a large user over years, 22 bytes each in a frame. */
export const MAX_TIMED_HASHES = 40_000;

/** One line of the preamble: the longest of any Dovecot has 500 bytes. */
export const MAX_PREAMBLE_LINE = 8 * 1024;

/** The whole preamble; a stranger can make us keep no more than this before we know who speaks. */
export const MAX_PREAMBLE = 64 * 1024;

/** Lines of the preamble. */
export const MAX_PREAMBLE_LINES = 64;

/** Features that one side can offer. */
export const MAX_FEATURES = 64;

/** Mailboxes in flight that we offer unless asked otherwise. */
export const DEFAULT_WINDOW = 64;

/** Largest number of mailboxes in flight that can be offered. */
export const MAX_WINDOW = 64;

/** Mailboxes that were opened and not yet brought to their end; a skipped one has no end and stays counted. */
export const MAX_MAILBOXES = 200_000;

/** What one conversation may have under way unread: its credit. Allows 1 MiB per round trip for one mailbox. */
export const CREDIT = 1024 * 1024;

/** Accounted for each frame besides its payload, so that many tiny frames have a cost too. */
export const FRAME_COST = 64;

/** Bytes that we hand to the carrier ahead of its draining. */
export const WRITE_AHEAD = 512 * 1024;

/** Records smaller than this are never worth compressing. */
export const COMPRESS_FROM = 4 * 1024;

/** A peer's reason for going away, in characters, after control characters were taken out. */
export const MAX_REASON = 300;

/** How long a closed session waits for the last bytes to be taken, in milliseconds. */
export const LINGER_MS = 5_000;

/** One line of Dovecot's text: its record of deletions can hold several lists of 40,000 hashes and times. */
export const MAX_TEXT_LINE = 8 * 1024 * 1024;

/** Messages and bytes of Dovecot's text that wait to be used; beyond it the carrier is not read. */
export const MAX_TEXT_QUEUED = 1024 * 1024;

/** Accounted for each waiting message besides its line. */
export const TEXT_MESSAGE_COST = 256;
