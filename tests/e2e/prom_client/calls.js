// Calls of prom-client's Pushgateway class, as batch jobs on Node make them.
//
// In: one argument, JSON; all but the first four may be left out:
//   gateway   URL
//   options   of the class, which hands them to http.request
//   metrics   [class, its configuration, [[method, argument ...] ...]] each; a number that JSON cannot write is a string
//   calls     ["push" | "pushAdd" | "delete", its parameters] each
//   files     options whose values are read from files: ca, cert, key
//   agent     options of a pool of connections; without it, Node's own
//   registry  "PROMETHEUS" or "OPENMETRICS"
//   defaults  whether the library's own metrics of this process are pushed too
//   at_once   whether no call waits for the answer to the one before
// Out: one line of JSON, an outcome for each call: {status, body, encoding, reused}, or {error}.
// Never: speaks HTTP itself, or changes what the library is given or says.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import client from 'prom-client';

const job = JSON.parse(process.argv[2]);

const registry = new client.Registry(client.Registry[`${job.registry ?? 'PROMETHEUS'}_CONTENT_TYPE`]);
if (job.defaults) client.collectDefaultMetrics({ register: registry });
for (const [type, configuration, observations] of job.metrics) {
  const metric = new client[type]({ ...configuration, registers: [registry] });
  for (const [method, ...words] of observations) {
    metric[method](...words.map((word) => (typeof word === 'string' ? Number(word) : word)));
  }
}

const options = { ...job.options };
for (const [name, path] of Object.entries(job.files ?? {})) options[name] = readFileSync(path);
if (job.agent) options.agent = new (job.gateway.startsWith('https:') ? https : http).Agent(job.agent);
const gateway = new client.Pushgateway(job.gateway, options, registry);

async function outcome([method, parameters]) {
  try {
    const { resp, body } = await gateway[method](parameters);
    const encoding = resp.req.getHeader('content-encoding');
    return { status: resp.statusCode, body, encoding, reused: resp.req.reusedSocket };
  } catch (error) {
    return { error: `${error.name}: ${error.message}` };
  }
}

const outcomes = [];
for (const call of job.calls) outcomes.push(job.at_once ? outcome(call) : await outcome(call));
console.log(JSON.stringify(await Promise.all(outcomes)));
