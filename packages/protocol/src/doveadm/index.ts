/** The doveadm layer: what stands in front of a session on TCP and UNIX sockets, as Dovecot 2.3.19 and 2.4 speak it. */
export { MAX_DOVEADM_LINE, MAX_LOG_LINE, MAX_PACKET } from './limits.ts';
export {
  DOVEADM_MINOR,
  DOVEADM_REPLIES,
  isDoveadmLogin,
  LineBuffer,
  LOG_OPTION_MINOR,
  parseCommandLine,
  parseOptionLine,
  parsePlainLine,
  parseReplyLine,
  parseVersionLine,
  printCommandLine,
  printLogOption,
  printPlainLine,
  printReply,
  printVersionLine,
  type DoveadmCommand,
  type DoveadmReply,
  type DoveadmReplyWord,
  type DoveadmService,
} from './lines.ts';
export { channelWriterFor, type ChannelWriter } from './channel-writer.ts';
export { joinStreams, type CarrierHooks } from './carrier.ts';
export { LineInput, type LineInputOptions } from './line-input.ts';
export { LogLineReader, printLogLine, type RemoteLogLevel, type RemoteLogLine } from './log-lines.ts';
export { ChannelReader, LOG_CHANNEL, MAIN_CHANNEL, packetHeader, type Piece } from './multiplex.ts';
export { joinTabFields, splitTabFields, tabEscape, tabUnescape } from './tab-escape.ts';
