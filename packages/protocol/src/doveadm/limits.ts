/** Limits of the doveadm layer, which stands in front of a session on TCP and UNIX sockets. Bytes. */

/** One line before the session: a command line is short, but Dovecot sends options of plug-ins in it. */
export const MAX_DOVEADM_LINE = 8 * 1024;

/** One packet of the multiplexed stream. Dovecot's are 8 KiB at most; a length is a peer's word until its bytes came. */
export const MAX_PACKET = 1024 * 1024;

/** One line on the log channel; longer ones are cut. */
export const MAX_LOG_LINE = 4 * 1024;
