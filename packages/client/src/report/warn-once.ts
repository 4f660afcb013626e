import type { Log } from '@dsync/server';

/**
 * The same log, in which no warning is said twice: a run says it when it happens, and its report, which may be both ends’, again.
 * @param onWarning gets each once
 */
export function warnOnce(log: Log, onWarning: (text: string) => void): Log {
  const said = new Set<string>();
  return {
    level: log.level,
    error: (text) => log.error(text),
    warning: (text) => {
      if (said.has(text)) return;
      said.add(text);
      onWarning(text);
      log.warning(text);
    },
    info: (text) => log.info(text),
    debug: (text) => log.debug(text),
    passOn: (line) => log.passOn(line),
    of: (user) => warnOnce(log.of(user), onWarning),
    flush: () => log.flush(),
  };
}
