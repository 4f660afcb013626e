import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';

import { asError } from '@dsync/protocol';
import { SettingsError } from '@dsync/settings';

/**
 * What TLS is made of, once OpenSSL has read it.
 * @param names the settings that the texts came from
 * @throws {SettingsError} `BadValue`
 */
export function secureContext(options: SecureContextOptions, names: string): SecureContext {
  try {
    return createSecureContext(options);
  } catch (cause) {
    throw new SettingsError('BadValue', `${names} cannot be used: ${reason(cause)}`, { cause });
  }
}

/** OpenSSL's words for the mistakes that people make, in theirs. */
function reason(cause: unknown): string {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : '';
  const { message } = asError(cause);
  if (code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH') return 'the key is not that of the certificate';
  if (/bad decrypt|interrupted or cancelled|bad password/i.test(message))
    return 'the key’s password is wrong or missing';
  return message;
}
