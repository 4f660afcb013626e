/**
 * Development certificates: a CA, a server certificate for localhost and a client certificate, made by node-forge with
 * keys from node:crypto (several times faster than forge's own). For trying and for tests, never for production.
 *
 *     npm run certs [-- DIR]        default: certs/generated, which git ignores
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import forge from 'node-forge';

/** A certificate and its private key, both PEM. */
export interface KeyAndCertificate {
  readonly key: string;
  readonly certificate: string;
}

/** One authority, and what it has signed. */
export interface DevelopmentCertificates {
  readonly ca: KeyAndCertificate;
  readonly server: KeyAndCertificate;
  readonly client: KeyAndCertificate;
}

/** What tests ask for that development does not. */
export interface CertificateOptions {
  /** DNS names and IP addresses of the server. */
  readonly names?: readonly string[];
  /** Days that the certificates are valid from now; negative: they have expired, for tests. */
  readonly days?: number;
}

const DEFAULT_NAMES = ['localhost', '127.0.0.1', '::1'];
const KEY_BITS = 2048;

/** Makes a new CA and certificates signed by it. */
export function makeCertificates(options: CertificateOptions = {}): DevelopmentCertificates {
  const days = options.days ?? 365;
  const ca = makeCertificate('dsync development CA', days, null, [
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
  ]);
  const server = makeCertificate('localhost', days, ca, [
    { name: 'basicConstraints', cA: false },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    { name: 'extKeyUsage', serverAuth: true },
    { name: 'subjectAltName', altNames: (options.names ?? DEFAULT_NAMES).map(altName) },
  ]);
  const client = makeCertificate('dsync client', days, ca, [
    { name: 'basicConstraints', cA: false },
    { name: 'keyUsage', digitalSignature: true, critical: true },
    { name: 'extKeyUsage', clientAuth: true },
  ]);
  return { ca, server, client };
}

/** Subject alternative names: type 7 is an IP address, type 2 a DNS name (RFC 5280 §4.2.1.6). */
function altName(name: string): { type: number; value: string } | { type: number; ip: string } {
  const isAddress = name.includes(':') || /^[0-9.]+$/.test(name);
  return isAddress ? { type: 7, ip: name } : { type: 2, value: name };
}

function makeCertificate(
  commonName: string,
  days: number,
  issuer: KeyAndCertificate | null,
  extensions: object[],
): KeyAndCertificate {
  const keys = generateKeyPairSync('rsa', {
    modulusLength: KEY_BITS,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(keys.publicKey);
  // Positive (RFC 5280 §4.1.2.2), and without leading zeros, of which DER allows at most one.
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`;
  const now = Date.now();
  const day = 24 * 3600 * 1000;
  certificate.validity.notBefore = new Date(days > 0 ? now - day : now + (days - 1) * day);
  certificate.validity.notAfter = new Date(now + days * day);
  const subject = [{ name: 'commonName', value: commonName }];
  certificate.setSubject(subject);
  certificate.setIssuer(
    issuer === null ? subject : forge.pki.certificateFromPem(issuer.certificate).subject.attributes,
  );
  certificate.setExtensions([...extensions, { name: 'subjectKeyIdentifier' }]);
  const signingKey = forge.pki.privateKeyFromPem(issuer === null ? keys.privateKey : issuer.key);
  certificate.sign(signingKey, forge.md.sha256.create());
  return { key: keys.privateKey, certificate: forge.pki.certificateToPem(certificate) };
}

/** Writes the certificates to a folder; private keys are readable by the owner alone. */
export function writeCertificates(folder: string, certificates: DevelopmentCertificates): void {
  mkdirSync(folder, { recursive: true });
  for (const name of ['ca', 'server', 'client'] as const) {
    const pair = certificates[name];
    writeFileSync(join(folder, `${name}.crt`), pair.certificate);
    writeFileSync(join(folder, `${name}.key`), pair.key, { mode: 0o600 });
  }
}

function main(): void {
  const folder = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), 'generated'));
  writeCertificates(folder, makeCertificates());
  process.stdout.write(`certificates for localhost, 127.0.0.1 and ::1 in ${folder}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
