/** Spellings of one technology that mean the label value on the left; every value also stands for itself. */
type Spellings = Readonly<Record<string, readonly string[]>>;

const LANGUAGES: Spellings = {
  c: [],
  'c++': ['cpp', 'cxx'],
  'c#': ['csharp', 'cs'],
  dart: [],
  elixir: ['ex'],
  erlang: [],
  go: ['golang'],
  java: [],
  javascript: ['js', 'node', 'nodejs', 'node.js', 'ecmascript', 'jsx'],
  kotlin: ['kt'],
  perl: [],
  php: [],
  python: ['py', 'python3'],
  ruby: ['rb'],
  rust: ['rs'],
  scala: [],
  shell: ['bash', 'sh'],
  solidity: [],
  swift: [],
  typescript: ['ts', 'tsx'],
};

const FRAMEWORKS: Spellings = {
  angular: [],
  ava: [],
  django: [],
  express: ['expressjs', 'express.js'],
  exunit: [],
  fastapi: [],
  fastify: [],
  flask: [],
  gin: [],
  'go test': ['gotest', 'testing'],
  jasmine: [],
  jest: [],
  junit: ['junit4', 'junit5'],
  laravel: [],
  minitest: [],
  mocha: [],
  nestjs: ['nest'],
  nextjs: ['next', 'next.js'],
  'node:test': ['node-test', 'node test'],
  nunit: [],
  pest: [],
  phoenix: [],
  phpunit: [],
  playwright: [],
  pytest: [],
  rails: ['ruby on rails'],
  react: ['reactjs'],
  rspec: [],
  spring: ['spring boot', 'springboot', 'spring-boot'],
  symfony: [],
  testng: [],
  unittest: [],
  vitest: [],
  vue: ['vuejs', 'vue.js'],
  xunit: [],
};

/** Label value for a programming language as a client spells it; one not in the closed set is `other`, none is `unknown`. */
export const languageLabel = makeNormaliser(LANGUAGES);

/** Label value for a web or test framework; one not in the closed set is `other`, none is `unknown`. */
export const frameworkLabel = makeNormaliser(FRAMEWORKS);

function makeNormaliser(spellings: Spellings): (value: string | undefined) => string {
  const labels = new Map<string, string>();
  for (const [label, aliases] of Object.entries(spellings)) {
    for (const spelling of [label, ...aliases]) labels.set(spelling, label);
  }
  return (value) => {
    const spelling = value?.trim().toLowerCase() ?? '';
    return spelling === '' ? 'unknown' : (labels.get(spelling) ?? 'other');
  };
}
