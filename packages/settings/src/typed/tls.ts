import { readFileSync } from 'node:fs';

import { notReadable, SettingsError } from '../errors.ts';
import type { Setting } from '../parse/section.ts';
import { bad, type SettingReader } from './read.ts';

/** PEM texts, and who is trusted. */
export interface TlsSettings {
  /** `ssl`: `no` switches TLS off for listeners. */
  readonly enabled: boolean;
  readonly cert?: string;
  readonly key?: string;
  readonly keyPassword?: string;
  /** Authorities that a client's certificate must come from, if clients must show one. */
  readonly ca?: string;
  /** Why one of these cannot be read. It matters to listeners alone: to others than root the key of a server is secret. */
  readonly unreadable?: SettingsError;
  /** Authorities that a server's certificate must come from; without it the system's. */
  readonly clientCa?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
}

/** @throws {SettingsError} `BadValue`, `NotReadable` */
export function readTls(read: SettingReader): TlsSettings {
  const clientCa = pem(read.find('ssl_client_ca_file'), 'ssl_client_ca_file');
  const clientCert = pem(read.find('ssl_client_cert_file', 'ssl_client_cert'), 'ssl_client_cert');
  const clientKey = pem(read.find('ssl_client_key_file', 'ssl_client_key'), 'ssl_client_key');
  return {
    enabled: read.choice('ssl', { yes: 'yes', required: 'yes', no: 'no' }, 'yes') === 'yes',
    ...readOwn(read),
    ...(clientCa === undefined ? {} : { clientCa }),
    ...(clientCert === undefined ? {} : { clientCert }),
    ...(clientKey === undefined ? {} : { clientKey }),
    // Anything below 1.2 is not offered, whatever an old configuration asks for.
    minVersion: read.choice(
      'ssl_min_protocol',
      {
        SSLv3: 'TLSv1.2',
        TLSv1: 'TLSv1.2',
        'TLSv1.1': 'TLSv1.2',
        'TLSv1.2': 'TLSv1.2',
        'TLSv1.3': 'TLSv1.3',
        ANY: 'TLSv1.2',
        LATEST: 'TLSv1.3',
      },
      'TLSv1.2',
    ),
  };
}

type Own = Pick<TlsSettings, 'cert' | 'key' | 'keyPassword' | 'ca' | 'unreadable'>;

/** What a listener shows and asks for. @throws {SettingsError} `BadValue` */
function readOwn(read: SettingReader): Own {
  try {
    const cert = pem(read.find('ssl_server_cert_file', 'ssl_cert'), 'ssl_cert');
    const key = pem(read.find('ssl_server_key_file', 'ssl_key'), 'ssl_key');
    const keyPassword = read.text('ssl_server_key_password', 'ssl_key_password');
    const ca = pem(read.find('ssl_server_ca_file', 'ssl_ca'), 'ssl_ca');
    return {
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(keyPassword === undefined ? {} : { keyPassword }),
      ...(ca === undefined ? {} : { ca }),
    };
  } catch (error) {
    if (error instanceof SettingsError && error.code === 'NotReadable') return { unreadable: error };
    throw error;
  }
}

/** `<file` has been read by the parser; 2.4 (and a bare path) names the file without the sign; a PEM text stands for itself. */
function pem(setting: Setting | undefined, name: string): string | undefined {
  if (setting === undefined || setting.value.trim() === '') return undefined;
  const text =
    setting.fromFile === undefined && !setting.value.includes('-----BEGIN') ? readPem(setting, name) : setting.value;
  if (!text.includes('-----BEGIN')) throw bad(setting, `${name} holds no PEM text`);
  return text;
}

function readPem(setting: Setting, name: string): string {
  const file = setting.value.trim();
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw notReadable(`${name} ${file}`, cause, setting.origin);
  }
}
