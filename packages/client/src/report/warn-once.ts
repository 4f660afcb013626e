import type { Log } from '@dsync/server';

/**
 * The same log, in which nothing that went wrong is said twice: a run says it when it happens, and its report, which may be both ends’, again.
 * @param onTrouble gets each warning and error once, the other end’s lines as they are
 */
export function warnOnce(log: Log, onTrouble: (text: string) => void): Log {
  const said = new Set<string>();
  const once = (text: string, say: (text: string) => void): void => {
    if (said.has(text)) return;
    said.add(text);
    onTrouble(text);
    say(text);
  };
  return {
    level: log.level,
    error: (text) => once(text, (own) => log.error(own)),
    warning: (text) => once(text, (own) => log.warning(own)),
    info: (text) => log.info(text),
    debug: (text) => log.debug(text),
    passOn: (line) => {
      onTrouble(line);
      log.passOn(line);
    },
    of: (user) => warnOnce(log.of(user), onTrouble),
    flush: () => log.flush(),
  };
}
