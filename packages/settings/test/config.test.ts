import { mkdtempSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { expandLocation, loadSettings, SettingsError, type Settings } from '@dsync/settings';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dsync-settings-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function load(text: string, overrides: readonly string[] = [], debug?: (text: string) => void): Settings {
  const file = join(folder, 'dovecot.conf');
  writeFileSync(file, text);
  return loadSettings({ file, overrides, ...(debug === undefined ? {} : { debug }) });
}

describe('values', () => {
  test.each([
    ['plain', 'doveadm_password = secret', 'secret'],
    ['blanks inside', 'doveadm_password =   two words  ', 'two words'],
    ['double quotes keep blanks and hashes', 'doveadm_password = " a # b "', ' a # b '],
    ['an escaped quote', 'doveadm_password = "a\\"b"', 'a"b'],
    ['single quotes', "doveadm_password = '$dont \\n'", '$dont \\n'],
    ['a comment after a blank', 'doveadm_password = a#b # rest', 'a#b'],
    ['a continued line', 'doveadm_password = one \\\n  two', 'one two'],
    ['an apostrophe inside', "doveadm_password = it's # so", "it's"],
    ['an earlier setting', 'hostname = mx1\ndoveadm_password = on $hostname', 'on mx1'],
    ['an earlier setting, 2.4', 'hostname = mx1\ndoveadm_password = on $SET:hostname', 'on mx1'],
    ['an unknown variable stays', 'doveadm_password = a$nothing', 'a$nothing'],
    ['the last one wins', 'doveadm_password = a\ndoveadm_password = b', 'b'],
    ['Windows line ends', 'doveadm_password = a\r\n# x\r\n', 'a'],
  ])('%s', (_name, text, expected) => {
    expect(load(text).doveadmPassword).toBe(expected);
  });

  test('a file as a value, relative to the configuration', () => {
    writeFileSync(join(folder, 'cert.pem'), '-----BEGIN CERTIFICATE-----\nx\n');
    expect(load('ssl_cert = <cert.pem').tls.cert).toBe('-----BEGIN CERTIFICATE-----\nx\n');
  });

  test('2.4 names the file without a sign', () => {
    writeFileSync(join(folder, 'cert.pem'), '-----BEGIN CERTIFICATE-----\ny\n');
    expect(load(`ssl_server_cert_file = ${folder}/cert.pem`).tls.cert).toBe('-----BEGIN CERTIFICATE-----\ny\n');
  });
});

describe('files', () => {
  test('included files are read where they are included, sorted', () => {
    mkdirSync(join(folder, 'conf.d'));
    writeFileSync(join(folder, 'conf.d', '20.conf'), 'hostname = late');
    writeFileSync(join(folder, 'conf.d', '10.conf'), 'hostname = early\ndoveadm_port = 4000');
    const settings = load('hostname = first\n!include conf.d/*.conf\n!include_try nothing.conf\n');
    expect([settings.hostname, settings.doveadmPort]).toEqual(['late', 4000]);
  });

  test('a file that is missing is an error where it is included', () => {
    expect(() => load('\n!include nothing.conf')).toThrow(/dovecot\.conf line 2.*nothing\.conf/);
  });

  test('files that include each other end in an error', () => {
    writeFileSync(join(folder, 'a.conf'), '!include b.conf');
    writeFileSync(join(folder, 'b.conf'), '!include a.conf');
    expect(() => load('!include a.conf')).toThrow(/included one in another/);
  });
});

describe('mistakes name file and line', () => {
  test.each([
    ['a section that is not closed', 'hostname = a\nnamespace inbox {\n', /line 2: namespace \{ is not closed/],
    ['a brace too many', 'hostname = a\n}\n', /line 2: unexpected }/],
    ['sections without end on one line', 'a { '.repeat(50_000) + '} '.repeat(50_000), /line 1: more than 10 sections/],
    ['a line that is nothing', 'hostname\n', /line 1: neither a setting nor a section/],
    ['a port', 'doveadm_port = abc', /line 1: doveadm_port must be a number from 0 to 65535/],
    ['a port that is too large', 'doveadm_port = 65536', /line 1/],
    ['ssl', '\n\nssl = maybe', /line 3: ssl must be one of/],
    ['an alternative character', 'dsync_alt_char = ab', /dsync_alt_char must be one printable character/],
    ['hashed headers', 'dsync_hashed_headers =', /dsync_hashed_headers/],
    ['a separator', 'namespace inbox {\n separator = ab\n}', /line 2: separator must be one character/],
    ['a prefix', 'namespace x {\n separator = /\n prefix = a\n}', /line 3: prefix must end with the separator/],
    ['a mail location', 'mail_location = Maildir', /line 1: a mail location is driver:PATH/],
    ['a key of a mail location', 'mail_location = maildir:~/M:FOO=bar', /unknown key "FOO=bar"/],
    ['inbox', 'namespace x {\n inbox = perhaps\n}', /line 2: inbox must be yes or no/],
    ['a certificate', 'ssl_client_cert = <nothing.pem', /line 1: cannot read/],
    ['a password', 'doveadm_password = <nothing', /line 1: cannot read/],
    ['what is no certificate', 'ssl_cert = <dovecot.conf', /ssl_cert holds no PEM text/],
  ])('%s', (_name, text, message) => {
    let error: unknown = null;
    try {
      load(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(SettingsError);
    expect(error).toMatchObject({ exit: 78, message: expect.stringMatching(message) });
  });

  test('an option is named without its value', () => {
    expect(() => loadSettings({ file: null, overrides: ['doveadm_port=top-secret'] })).toThrow(/^-o doveadm_port: /);
    expect(() => loadSettings({ file: null, overrides: ['doveadm_password'] })).toThrow(/-o needs name=value/);
  });
});

describe('overrides', () => {
  test('later ones win, over the file too', () => {
    const settings = load('doveadm_password = a', ['doveadm_password=b', 'doveadm_password=c=d']);
    expect(settings.doveadmPassword).toBe('c=d');
  });

  test('settings of sections', () => {
    const settings = loadSettings({
      file: null,
      overrides: [
        'namespace/inbox/separator=/',
        'namespace/archive/prefix=Archive/',
        'namespace/archive/separator=/',
        'namespace/archive/location=maildir:/a',
      ],
    });
    expect(settings.namespaces).toMatchObject([
      { name: 'inbox', prefix: '', separator: '/', inbox: true, location: null },
      { name: 'archive', prefix: 'Archive/', inbox: false, location: { driver: 'maildir', path: '/a' } },
    ]);
  });
});

test('what only root may read of a server’s configuration is missed by who needs it', () => {
  for (const name of ['ssl_cert', 'ssl_key']) {
    const { tls } = load(`ssl_dh = <nothing.pem\n${name} = <nothing.pem\n`);
    expect(tls).toMatchObject({
      unreadable: { exit: 78, message: expect.stringMatching(/line 2: cannot read .*nothing/) },
    });
    expect(load(`ssl = yes\nssl_server_${name.slice(4)}_file = /nothing.pem\n`).tls.unreadable?.message).toMatch(
      /line 2: cannot read .*\/nothing\.pem/,
    );
  }
});

test('an unknown setting is skipped with a word, and its value is not shown', () => {
  const seen: string[] = [];
  load('plugin {\n  quota_secret = xyzzy\n}\nmail_plugins = $mail_plugins acl\n', [], (text) => seen.push(text));
  expect(seen.join('\n')).toMatch(/unknown setting plugin\/quota_secret skipped \(.*line 2\)/);
  expect(seen.join('\n')).not.toContain('xyzzy');
});

test('a server’s own configuration of 2.4 is read as it is', () => {
  const settings = load(`
dovecot_config_version = 2.4.1
protocols { imap = yes }
mail_driver = maildir
mail_path = ~/Maildir
mail_home = /srv/%{user | domain}/%{user | username}
passdb static {
  password = pw
}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Trash {
    special_use = \\Trash
  }
}
service doveadm {
  inet_listener dsync {
    port = 4711
  }
}
`);
  expect(settings.mailLocation).toMatchObject({ driver: 'maildir', path: '~/Maildir' });
  expect(settings.namespaces).toMatchObject([{ name: 'inbox', inbox: true, separator: '/' }]);
});

test('a location given with -o replaces that of a configuration of 2.4', () => {
  const text = 'mail_driver = mbox\nmail_path = ~/mail\nmail_inbox_path = /var/mail/%{user}\n';
  expect(load(text, ['mail_location=maildir:/srv/%u']).mailLocation).toMatchObject({
    driver: 'maildir',
    path: '/srv/%u',
  });
  expect(load(text, ['mail_driver=maildir', 'mail_path=/srv/%u']).mailLocation).toMatchObject({
    ...{ driver: 'maildir', path: '/srv/%u' },
  });
});

test('protocol doveadm overrides what stands outside', () => {
  expect(load('hostname = a\nprotocol doveadm {\n hostname = b\n}\nprotocol imap {\n hostname = c\n}').hostname).toBe(
    'b',
  );
});

test('a location with every key, and its variables', () => {
  const { mailLocation } = load('mail_location = maildir:/m/%d/%n:LAYOUT=fs:CONTROL=/c/%u:INDEX=~/i:INBOX=/in/%Ln');
  if (mailLocation === null) throw new Error('no location');
  expect(expandLocation(mailLocation, { user: 'Anna@example.org', home: '/h' })).toEqual({
    driver: 'maildir',
    path: '/m/example.org/Anna',
    layout: 'fs',
    control: '/c/Anna@example.org',
    index: '/h/i',
    inbox: '/in/anna',
  });
});
