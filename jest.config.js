// A lingd that a test starts on demand leaves soon after it.
process.env.LINGD_LINGER ??= '0.3';

module.exports = {
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } } }] },
  reporters: ['default', '<rootDir>/test/support/reporter.js'],
  // For a machine that is busy with others: nothing but a hang takes so long.
  testTimeout: 60_000,
};
