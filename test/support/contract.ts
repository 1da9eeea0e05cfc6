import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';

export type Media = { schema: object; examples?: Record<string, { value: unknown }> };
export type Header = { required?: boolean; schema: object };
export type Parameter = { name: string; in: string; required?: boolean; schema: object };
export type ResponseObject = { headers?: Record<string, Header>; content?: Record<string, Media> };
export type Operation = {
  operationId: string;
  description?: string;
  tags?: string[];
  security?: Record<string, string[]>[];
  parameters?: (Parameter | Ref)[];
  requestBody?: { content: Record<string, Media> } | Ref;
  responses: Record<string, ResponseObject | Ref>;
};
type Ref = { $ref: string };
type PathItem = { parameters?: (Parameter | Ref)[] } & { [method in (typeof METHODS)[number]]?: Operation };
export type Document = {
  tags: { name: string }[];
  security: Record<string, string[]>[];
  paths: Record<string, PathItem>;
  webhooks: Record<string, PathItem>;
  components: Record<string, Record<string, object>>;
};
export type Answer = { status: number; text: string; headers: Record<string, unknown> };

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const text = readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8');

/** The contract as it stands in the repository. */
export const document = parse(text) as Document;

/** A validator of the 2020-12 dialect that knows the document, so that its `$ref`s resolve. */
export function createValidator() {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true, strictRequired: false });
  addFormats.default(ajv);
  // The document stands where a schema is expected; its own keys are no keywords.
  ajv.addVocabulary(Object.keys(document));
  ajv.addSchema(document, 'openapi.yaml', false);
  return {
    ajv,
    /** What is wrong with the value by this part of the document; undefined when nothing is. */
    errorsOf: (pointer: string, value: unknown): string | undefined => {
      const validate = ajv.getSchema(`openapi.yaml#${pointer}`);
      if (!validate) throw new Error(`openapi.yaml has nothing at ${pointer}`);
      return validate(value) ? undefined : ajv.errorsText(validate.errors);
    },
  };
}

/** Every operation with its path and method. */
export function listOperations(paths = document.paths) {
  return Object.entries(paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method];
      const shared = item.parameters ?? [];
      return operation
        ? [{ path, method, operation, parameters: [...shared, ...(operation.parameters ?? [])] }]
        : [];
    }),
  );
}

/** The thing behind a `$ref`, or the thing itself, and where it stands. */
export function resolve<T extends object>(thing: T | Ref, at: string): { value: T; pointer: string } {
  if (!('$ref' in thing)) return { value: thing, pointer: at };
  const pointer = thing.$ref.slice(1);
  const value = pointer
    .split('/')
    .slice(1)
    .reduce<unknown>((from, key) => (from as Record<string, unknown>)[unescape(key)], document);
  if (typeof value !== 'object' || value === null) throw new Error(`${thing.$ref} leads nowhere`);
  return { value: value as T, pointer };
}

/** One step of a JSON pointer. */
export function escape(key: string): string {
  return encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'));
}

function unescape(key: string): string {
  return decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~');
}

/** Checks answers against the document and remembers which statuses of which operations it has seen. */
export function createContract() {
  const { errorsOf } = createValidator();
  const operations = new Map(listOperations().map((one) => [one.operation.operationId, one]));
  const seen = new Set<string>();

  /** Everything in which the answer differs from the document; empty when it keeps the contract. */
  function violations(operationId: string, answer: Answer): string[] {
    const found = operations.get(operationId);
    if (!found) return [`there is no operation ${operationId}`];
    const at = `/paths/${escape(found.path)}/${found.method}/responses/${answer.status}`;
    const documented = found.operation.responses[answer.status];
    if (!documented) return [`${operationId} may not answer ${answer.status}: ${answer.text.slice(0, 200)}`];
    seen.add(`${operationId} ${answer.status}`);
    const { value: response, pointer } = resolve(documented, at);
    return [
      ...(UUID.test(String(answer.headers['x-request-id'])) ? [] : ['X-Request-Id is missing']),
      ...headerViolations(response, pointer, answer),
      ...bodyViolations(response, pointer, answer),
    ];
  }

  function headerViolations({ headers = {} }: ResponseObject, pointer: string, answer: Answer): string[] {
    return Object.entries(headers).flatMap(([name, { required = false }]) => {
      const value = answer.headers[name.toLowerCase()];
      if (value === undefined) return required ? [`${name} is missing`] : [];
      return listed(errorsOf(`${pointer}/headers/${escape(name)}/schema`, value));
    });
  }

  function bodyViolations({ content }: ResponseObject, pointer: string, answer: Answer): string[] {
    if (!content) return [];
    const type = String(answer.headers['content-type']).split(';')[0] ?? '';
    if (!content[type]) return [`the content type is ${type}`];
    const body: unknown = type === 'application/json' ? JSON.parse(answer.text) : answer.text;
    return listed(errorsOf(`${pointer}/content/${escape(type)}/schema`, body));
  }

  return { violations, seen, errorsOf };
}

function listed(errors: string | undefined): string[] {
  return errors === undefined ? [] : [errors];
}
