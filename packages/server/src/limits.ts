/** Every limit of a server, with its reason. The limits of a session's messages are the protocol's. */

/** Connections that have not logged in yet: what a stranger can make us hold. */
export const MAX_STRANGERS = 64;

/** Of these from one address. */
export const MAX_STRANGERS_PER_ADDRESS = 16;

/** Sessions at once; each has a store open and some tens of MiB in use. */
export const MAX_SESSIONS = 64;

/** Bytes that a stranger may send before the login; the longest honest opening has some hundred. */
export const MAX_LOGIN_BYTES = 4 * 1024;

/** Milliseconds from the connection to the end of the command line. */
export const LOGIN_TIMEOUT_MS = 30_000;

/** Milliseconds that a failed login waits for its answer, so that guessing is slow. */
export const FAILED_LOGIN_DELAY_MS = 1_500;

/** Failed logins of one address within `FAILED_LOGIN_WINDOW_MS`; then its connections are closed at once. */
export const MAX_FAILED_LOGINS = 10;

/** Milliseconds after which a failed login is forgotten. */
export const FAILED_LOGIN_WINDOW_MS = 10 * 60_000;

/** Addresses of failed logins that are remembered; the oldest are forgotten first. */
export const MAX_FAILED_ADDRESSES = 10_000;

/** Milliseconds without a byte in either direction after which a session is given up (`-T`). */
export const STALL_TIMEOUT_MS = 600_000;

/** Milliseconds that a finished connection waits for its peer to close. */
export const LINGER_MS = 5_000;

/** Log lines of one session that are sent to its peer. */
export const MAX_REMOTE_LOG_LINES = 100;
