/** Configurations of throw-away Dovecots, 2.3 and 2.4: everything below one folder, only loopback, one password for all. */

/** 2.3 is the machine's own, 2.4 lives in a Debian 13 of its own (trixie.ts). */
export type DovecotVersion = '2.3' | '2.4';

/** What differs from one throw-away Dovecot to the next. */
export interface ConfigInput {
  /** The folder of this Dovecot as it sees it (inside its chroot). */
  readonly folder: string;
  readonly separator: string;
  readonly mailUid: number;
  readonly mailGid: number;
  readonly imapPort: number;
  readonly doveadmPort: number;
  /** Certificates (`certs/make-certificates.ts`) and the port of a doveadm listener that speaks TLS; null: no TLS at all. */
  readonly tls: { readonly folder: string; readonly port: number } | null;
  /** Further lines in the version's own syntax. */
  readonly extra: string;
}

/** Of every user. */
export const IMAP_PASSWORD = 'pw';

/** Of the doveadm service. */
export const DOVEADM_PASSWORD = 'secret';

const common = (input: ConfigInput): string => `base_dir = ${input.folder}/run
state_dir = ${input.folder}/run
log_path = ${input.folder}/dovecot.log
protocols = imap
ssl = ${input.tls === null ? 'no' : 'yes'}
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
mail_uid = ${input.mailUid}
mail_gid = ${input.mailGid}
first_valid_uid = 100
doveadm_password = ${DOVEADM_PASSWORD}
doveadm_port = ${input.doveadmPort}
namespace inbox {
  inbox = yes
  separator = ${input.separator}
}
`;

const certificates = (tls: ConfigInput['tls'], names: readonly [cert: string, key: string], sign: string): string =>
  tls === null
    ? ''
    : `${names[0]} = ${sign}${tls.folder}/server.crt
${names[1]} = ${sign}${tls.folder}/server.key
ssl_client_ca_file = ${tls.folder}/ca.crt
`;

const tlsListener = (tls: ConfigInput['tls'], address: string): string =>
  tls === null
    ? ''
    : `  inet_listener tls {
    port = ${tls.port}
    ${address} = 127.0.0.1
    ssl = yes
  }
`;

const config23 = (input: ConfigInput): string => `${common(input)}
mail_location = maildir:~/Maildir
${certificates(input.tls, ['ssl_cert', 'ssl_key'], '<')}disable_plaintext_auth = no
passdb {
  driver = static
  args = password=${IMAP_PASSWORD}
}
userdb {
  driver = static
  args = uid=${input.mailUid} gid=${input.mailGid} home=${input.folder}/home/%u
}
service imap-login {
  inet_listener imap {
    port = ${input.imapPort}
    address = 127.0.0.1
  }
  inet_listener imaps {
    port = 0
  }
}
service doveadm {
  inet_listener {
    port = ${input.doveadmPort}
    address = 127.0.0.1
  }
${tlsListener(input.tls, 'address')}}
${input.extra}
`;

const config24 = (input: ConfigInput): string => `dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.0
${common(input)}
${certificates(input.tls, ['ssl_server_cert_file', 'ssl_server_key_file'], '')}mail_driver = maildir
mail_path = ~/Maildir
auth_allow_cleartext = yes
passdb static {
  password = ${IMAP_PASSWORD}
}
userdb static {
  fields {
    uid = ${input.mailUid}
    gid = ${input.mailGid}
    home = ${input.folder}/home/%{user}
  }
}
service imap-login {
  inet_listener imap {
    port = ${input.imapPort}
    listen = 127.0.0.1
  }
  inet_listener imaps {
    port = 0
  }
}
service doveadm {
  inet_listener dsync {
    port = ${input.doveadmPort}
    listen = 127.0.0.1
  }
${tlsListener(input.tls, 'listen')}}
${input.extra}
`;

/** The whole dovecot.conf in the version's own syntax. */
export const printConfig = (version: DovecotVersion, input: ConfigInput): string =>
  version === '2.3' ? config23(input) : config24(input);
