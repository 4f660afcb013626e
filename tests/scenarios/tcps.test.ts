import { afterAll } from '@jest/globals';

import { describeWith } from '../support/needs.ts';
import { testEachScenario } from './each-scenario.ts';
import { makeTestCertificates, tcpsWorld } from './tcps-world.ts';

describeWith(['vectors'], 'every recorded scenario, with the command line and a server over TLS', () => {
  const certificates = makeTestCertificates();
  afterAll(() => certificates[Symbol.asyncDispose]());
  testEachScenario('native', (scenario) => tcpsWorld(scenario, certificates.path));
});
