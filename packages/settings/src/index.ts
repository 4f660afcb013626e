export { SettingsError, printOrigin, SETTINGS_ERRORS, type Origin, type SettingsErrorCode } from './errors.ts';
export { parseLocation, type MailLocation } from './expand/location.ts';
export { isSafeUserName, MAX_USER_NAME } from './expand/user-name.ts';
export { expandPath, expandVariables, type VariableValues } from './expand/variables.ts';
export type { NamespaceSettings } from './typed/namespaces.ts';
export {
  DEFAULT_PORT,
  expandLocation,
  loadSettings,
  type DoveadmSsl,
  type ExpandedLocation,
  type Settings,
  type SettingsSource,
} from './typed/settings.ts';
export type { TlsSettings } from './typed/tls.ts';
export { resolveUser, type MailUser, type UserNamespace } from './users/resolve-user.ts';
export {
  GLOBAL_OPTIONS,
  OptionValues,
  parseOptions,
  printOptionsHelp,
  UsageError,
  type OptionSpec,
  type ParsedOptions,
} from './command-line/options.ts';
