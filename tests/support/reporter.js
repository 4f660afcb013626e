/**
 * Ends a run with the tests that were skipped, by name, with the command that brings what they lack; and with the line
 * `N passed, N failed, N skipped`. With CI=true or DSYNC_REQUIRE_ALL=1 a skipped test is a failure.
 *
 * A test or describe block says what it lacks at the end of its title: `… [needs <what>: <command>]` (needs.ts).
 */
import { appendFileSync } from 'node:fs';

const NEEDS = /\[needs ([^\]]+)\]/;

/** Titles of one test, outermost first, without what it needs. */
const nameOf = (assertion) => [...assertion.ancestorTitles, assertion.title].join(' › ');

const collectSkipped = (results) =>
  results.testResults.flatMap((file) =>
    file.testResults
      .filter((assertion) => ['pending', 'todo', 'disabled'].includes(assertion.status))
      .map((assertion) => {
        const name = nameOf(assertion);
        return {
          name: name.replace(NEEDS, '').replace(/ +/g, ' ').trim(),
          needs: NEEDS.exec(name)?.[1] ?? 'no reason given',
        };
      }),
  );

const groupByNeed = (skipped) => {
  const groups = new Map();
  for (const { name, needs } of skipped) groups.set(needs, [...(groups.get(needs) ?? []), name]);
  return groups;
};

export default class Reporter {
  #error = null;

  onRunComplete(_contexts, results) {
    const skipped = collectSkipped(results);
    // A file that does not even load has no tests to count, but has failed all the same.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const counts = { passed: results.numPassedTests, failed, skipped: skipped.length };

    const lines = [];
    for (const [needs, names] of groupByNeed(skipped)) {
      lines.push('', `Skipped, needs ${needs}`, ...names.map((name) => `  ${name}`));
    }
    const strict = process.env['CI'] === 'true' || process.env['DSYNC_REQUIRE_ALL'] === '1';
    if (strict && skipped.length > 0) {
      this.#error = new Error(
        `${skipped.length === 1 ? '1 test was' : `${skipped.length} tests were`} skipped, and nothing may be skipped here`,
      );
      lines.push('', this.#error.message);
    }
    lines.push('', `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`, '');
    process.stderr.write(lines.join('\n'));

    const countsFile = process.env['DSYNC_COUNTS_FILE'];
    if (countsFile) appendFileSync(countsFile, `${counts.passed} ${counts.failed} ${counts.skipped}\n`);
  }

  getLastError() {
    return this.#error ?? undefined;
  }
}
