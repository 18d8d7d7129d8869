// biome-ignore-all lint/style/noCommonJs: Jest loads a reporter as it is
/** A reporter of Jest: after all tests, what could not be tested here, which tests say in their names. */
module.exports = class NotRunReporter {
  onRunComplete(_contexts, { testResults }) {
    const titles = testResults.flatMap((file) => file.testResults.map(({ title }) => title));
    for (const title of titles.filter((one) => one.startsWith('NOT RUN: ')).sort()) console.log(title);
  }
};
