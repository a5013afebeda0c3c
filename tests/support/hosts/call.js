// Calls one function of a transpiled component: call.js MODULE INTERFACE|- FUNCTION ARGUMENTS
const [module, where, name, args] = process.argv.slice(2);

// A result is `{tag, val}` here.
const argument = (value) => {
  const [tag, ...more] = Object.keys(value);
  const isResult = typeof value === 'object' && more.length === 0 && ['ok', 'err'].includes(tag);
  return isResult ? { tag, val: value[tag] } : value;
};
const text = (value) =>
  JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? String(part) : part));

const exports = await import(module);
const target = where === '-' ? exports : exports[where];
try {
  console.log(text(target[name](...JSON.parse(args).map(argument))));
} catch (error) {
  // An error result is thrown, and so is a trap.
  console.log(text(error.payload ?? String(error)));
}
