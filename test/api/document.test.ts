import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createValidator, document, escape, listOperations, resolve } from '../support/contract.ts';
import { openapiSchema } from '../support/openapi-schema.ts';
import { listRoutes } from '../support/routes.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

/** Routes that are no contract with anybody. */
const UNDOCUMENTED = [
  'GET /', // a line for whoever looks
  'GET /assets/countersign.css', // how our own pages look
  'GET /assets/device.js',
  'GET /assets/wait.js',
  'GET /assets/icon.svg',
  'GET /assets/logo/{}/{}',
];

const { ajv, errorsOf } = createValidator();
const isOpenapi = ajv.compile(openapiSchema);
const operations = listOperations();
const all = [...operations, ...listOperations(document.webhooks)];

describe('openapi.yaml', () => {
  test('is OpenAPI 3.1 in every name it uses, and every schema is one', () => {
    expect(isOpenapi(document) ? [] : isOpenapi.errors).toEqual([]);
  });

  // Fails as it should: quote these descriptions in openapi.yaml, then make this an ordinary test.
  test('every $ref leads somewhere, and every component is used', () => {
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref = '']) => ref);
    for (const $ref of refs) expect(typeof resolve({ $ref }, '').value).toBe('object');
    const { securitySchemes = {}, ...components } = document.components;
    const defined = Object.entries(components).flatMap(([kind, things]) =>
      Object.keys(things).map((name) => `#/components/${kind}/${name}`),
    );
    expect(defined.filter((name) => !refs.includes(name))).toEqual([]);
    const required = [document.security, ...all.map(({ operation }) => operation.security ?? [])].flat();
    expect(new Set(required.flatMap((one) => Object.keys(one)))).toEqual(
      new Set(Object.keys(securitySchemes)),
    );
  });

  test('every schema compiles, without a keyword that says nothing', () => {
    for (const name of Object.keys(document.components.schemas ?? {})) {
      expect(typeof ajv.getSchema(`openapi.yaml#/components/schemas/${escape(name)}`)).toBe('function');
    }
  });

  test('operation ids are unique and tags are declared', () => {
    const ids = all.map(({ operation }) => operation.operationId);
    expect(ids).toEqual([...new Set(ids)]);
    const declared = document.tags.map(({ name }) => name);
    expect(operations.flatMap(({ operation }) => operation.tags ?? [])).toEqual(
      operations.map(() => expect.stringMatching(`^(${declared.join('|')})$`)),
    );
  });

  test.each(operations.map((one) => [`${one.method} ${one.path}`, one] as const))(
    'the parameters of %s are those of its path, once each',
    (_name, { path, parameters }) => {
      const resolved = parameters.map((parameter) => resolve(parameter, '').value);
      const names = resolved.map((parameter) => `${parameter.in} ${parameter.name}`);
      expect(names).toEqual([...new Set(names)]);
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => `path ${name}`);
      expect(names.filter((name) => name.startsWith('path '))).toEqual(inPath);
    },
  );

  test('every example is valid by its own schema', () => {
    const examples = operations.flatMap(({ path, method, operation: { requestBody } }) => {
      if (!requestBody) return [];
      const { value: body, pointer } = resolve(requestBody, `/paths/${escape(path)}/${method}/requestBody`);
      return Object.entries(body.content).flatMap(([type, media]) =>
        Object.values(media.examples ?? {}).map(({ value }) => ({
          value,
          pointer: `${pointer}/content/${escape(type)}/schema`,
        })),
      );
    });
    expect(examples.length).toBeGreaterThan(0);
    for (const { pointer, value } of examples) expect(errorsOf(pointer, value)).toBeUndefined();
  });
});

describe('the server', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer({ role: 'api' });
  });
  afterAll(() => server.close());

  test('has exactly the routes of the document', async () => {
    const documented = operations.map(
      ({ method, path }) => `${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, '{}')}`,
    );
    expect((await listRoutes(server.url)).sort()).toEqual([...documented, ...UNDOCUMENTED].sort());
  });
});
