// The official TypeScript SDK against `thoth serve`: what an agent host does with governed tools.
//
//     client.mjs THOTH POLICY STATE stdio|http COMPONENT...

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const [thoth, policy, state, transport, ...components] = process.argv.slice(2);
const large = { from_account: 'operations', to_account: 'suppliers', amount_cents: 1_250_000 };
const running = [];

/** Starts a server of ours, and gives the line that says where it is. */
async function started(args, wanted) {
  const child = spawn(thoth, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  running.push(child);
  return new Promise((found, lost) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => wanted.test(line) && found(line.trim()));
    }
    child.on('exit', () => lost(new Error(`${args} did not start`)));
  });
}

/** What the answer says came of a call that did not complete. */
function report(result) {
  assert.equal(result.isError, true, JSON.stringify(result));
  return JSON.parse(result.content[1].text);
}

async function main() {
  const listen = ['--listen', '127.0.0.1:0', '--state-dir', `${state}/enforcer`];
  const url = await started(['enforcer', 'serve', '--policy', policy, ...listen], /^http:\/\/127\.0\.0\.1:/);
  const serve = ['serve', ...components, '--enforcer-url', url, '--tenant-id', 'acme', '--state-dir', `${state}/host`];
  let to;
  if (transport === 'stdio') {
    to = new StdioClientTransport({ command: thoth, args: serve });
  } else {
    writeFileSync(`${state}/token`, '0123456789abcdef');
    const line = await started([...serve, '--http', '127.0.0.1:0', '--token-file', `${state}/token`], /serving MCP at/);
    const headers = { authorization: 'Bearer 0123456789abcdef' };
    to = new StreamableHTTPClientTransport(new URL(line.split(' ').at(-1)), { requestInit: { headers } });
  }
  const client = new Client({ name: 'test', version: '1' }, { capabilities: { elicitation: { url: {} } } });
  let decision = 'approve';
  let asked = 0;
  client.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
    asked += 1;
    const token = params.url.split('/').at(-1);
    execFileSync(thoth, ['approvals', decision, token, '--state-dir', `${state}/enforcer`]);
    return { action: 'accept' };
  });
  await client.connect(to);
  const call = (name, args, options) => client.callTool({ name, arguments: args }, undefined, options);

  const { tools } = await client.listTools();
  assert.deepEqual(tools.map((tool) => tool.name), tools.map((tool) => tool.name).toSorted());
  const found = await call('search_docs', { query: 'leave', limit: 1 });
  assert.equal(found.structuredContent.result[0].title, 'Leave');
  assert.equal(report(await call('read_doc', { path: 'hr/salaries.md' })).cause, 'policy');
  assert.equal(report(await call('close_books', { month: '2026-03' })).retry_after_seconds, 3600);
  assert.equal(report(await call('read_doc', { path: 'nothing.md' })).cause, 'tool_error');
  assert.equal(report(await call('search_docs', { query: 7 })).cause, 'invalid_arguments');

  const told = [];
  await call('sing', { note: 'a' }, { onprogress: ({ message }) => told.push(message) });
  // This SDK forgets what came in one read with the answer, so the last ones may be missing.
  const said = ['waiting for a decision', 'running', 'recording what came of it'];
  assert.ok(told.length > 0);
  assert.deepEqual(told, said.slice(0, told.length));
  await assert.rejects(call('tarpit', { note: 'x' }, { signal: AbortSignal.timeout(500) }));
  const notes = Array.from({ length: 64 }, (_, note) => String(note));
  const sung = await Promise.all(notes.map((note) => call('sing', { note })));
  assert.deepEqual(sung.map((result) => result.content[0].text.split(':')[1]), notes);

  const approved = await call('transfer', large);
  assert.equal(approved.structuredContent.to_account, 'suppliers');
  decision = 'deny';
  assert.equal(report(await call('transfer', large)).cause, 'denied');
  assert.equal(asked, 2);
  await client.close();
  console.log('ok');
}

try {
  await main();
} finally {
  running.forEach((child) => child.kill());
}
