// SPDX-License-Identifier: Apache-2.0
// Reads vitest's JSON report: prints "PASSED FAILED" on stdout and each failure on stderr.
import {readFileSync} from 'node:fs';

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
let failed = report.numFailedTests;
for (const file of report.testResults) {
  const bad = file.assertionResults.filter((test) => test.status === 'failed');
  for (const test of bad) {
    console.error(
      `FAILED ${file.name} > ${test.fullName}\n  ${String(test.failureMessages[0]).slice(0, 1500)}`,
    );
  }
  if (file.status === 'failed' && bad.length === 0) {
    failed++;
    console.error(`FAILED FILE ${file.name}\n  ${String(file.message).slice(0, 1500)}`);
  }
}
console.log(report.numPassedTests, failed);
