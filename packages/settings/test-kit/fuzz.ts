/** What reads settings, as functions of any bytes; anything but a SettingsError or a UsageError is a defect. */
import { GLOBAL_OPTIONS, parseOptions, UsageError } from '../src/command-line/options.ts';
import { SettingsError } from '../src/errors.ts';
import { parseLocation } from '../src/expand/location.ts';
import { isSafeUserName } from '../src/expand/user-name.ts';
import { expandPath } from '../src/expand/variables.ts';
import { readConfigText, readOverride } from '../src/parse/parse-config.ts';
import { Section } from '../src/parse/section.ts';
import { settingsOf } from '../src/typed/settings.ts';
import { resolveUser } from '../src/users/resolve-user.ts';

function coded(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof SettingsError) && !(error instanceof UsageError)) throw error;
  }
}

/** What would read other files is taken out: they are not what is tried here. */
const harmless = (input: Buffer): string => input.toString('utf8').replaceAll(/<|!include|passwd/g, '');

/** Any bytes as a dovecot.conf, which names no other file. */
export function fuzzConfig(input: Buffer): void {
  const root = new Section('', '', null);
  coded(() => {
    readConfigText(harmless(input), 'fuzz.conf', root);
    resolveUser(settingsOf(root), 'anna@example.com');
  });
}

/** Variables, locations, overrides, options and names of users. */
export function fuzzExpansion(input: Buffer): void {
  const text = harmless(input);
  const values = { user: 'anna@example.com', home: '/home/anna' };
  coded(() => void expandPath(text, values));
  coded(() => void parseLocation(text));
  coded(() => readOverride(text, new Section('', '', null)));
  coded(() => void parseOptions('dsync', text.split(' '), GLOBAL_OPTIONS));
  if (isSafeUserName(text) && /[/\0]|^\.\.?$/.test(text)) throw new Error(`no safe name: ${JSON.stringify(text)}`);
}
