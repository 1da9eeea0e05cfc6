// OpenAPI 3.1.0 as far as our document uses it (https://spec.openapis.org/oas/v3.1.0), strict about every name, so that
// a misspelt or misplaced one is found. Schema Objects are whole JSON Schemas of the 2020-12 dialect.

const text = { type: 'string', minLength: 1 };
const ref = (name: string) => ({ $ref: `#/$defs/${name}` });
const mapOf = (values: object) => ({ type: 'object', additionalProperties: values });
const listOf = (items: object) => ({ type: 'array', items, minItems: 1 });
const object = (required: string[], properties: object) => ({
  type: 'object',
  required,
  properties,
  additionalProperties: false,
});
/** A Reference Object or the thing itself. */
const orRef = (name: string) => ({
  oneOf: [object(['$ref'], { $ref: { type: 'string', pattern: '^#/components/' } }), ref(name)],
});

const schema = { $ref: 'https://json-schema.org/draft/2020-12/schema' };
const security = { type: 'array', items: mapOf({ type: 'array', items: text }) };
const operation = ref('operation');

export const openapiSchema = {
  $id: 'openapi-3.1',
  ...object(['openapi', 'info', 'paths'], {
    openapi: { const: '3.1.0' },
    info: object(['title', 'version'], {
      title: text,
      version: { type: 'string', pattern: String.raw`^\d+\.\d+\.\d+$` },
      description: text,
      license: object(['name', 'identifier'], { name: text, identifier: text }),
    }),
    servers: listOf(object(['url'], { url: { type: 'string', format: 'uri' } })),
    tags: listOf(object(['name'], { name: text, description: text })),
    security,
    paths: { type: 'object', propertyNames: { pattern: '^/' }, additionalProperties: ref('pathItem') },
    webhooks: mapOf(ref('pathItem')),
    components: object([], {
      schemas: mapOf(schema),
      requestBodies: mapOf(ref('requestBody')),
      parameters: mapOf(orRef('parameter')),
      responses: mapOf(orRef('response')),
      securitySchemes: mapOf(ref('securityScheme')),
    }),
  }),
  $defs: {
    pathItem: object([], {
      parameters: listOf(orRef('parameter')),
      ...{ get: operation, post: operation, put: operation, patch: operation, delete: operation },
    }),
    operation: object(['operationId', 'summary', 'responses'], {
      operationId: { type: 'string', pattern: '^[a-z][A-Za-z]*$' },
      tags: listOf(text),
      summary: text,
      description: text,
      parameters: listOf(orRef('parameter')),
      requestBody: orRef('requestBody'),
      responses: {
        type: 'object',
        propertyNames: { pattern: '^([1-5]\\d\\d|[1-5]XX|default)$' },
        minProperties: 1,
        additionalProperties: orRef('response'),
      },
      security,
    }),
    requestBody: object(['content'], {
      description: text,
      required: { type: 'boolean' },
      content: mapOf(ref('mediaType')),
    }),
    parameter: {
      ...object(['name', 'in', 'schema'], {
        name: text,
        in: { enum: ['path', 'query', 'header', 'cookie'] },
        description: text,
        required: { type: 'boolean' },
        schema,
      }),
      oneOf: [
        { properties: { in: { const: 'path' }, required: { const: true } }, required: ['required'] },
        { properties: { in: { enum: ['query', 'header', 'cookie'] } } },
      ],
    },
    response: object(['description'], {
      description: text,
      headers: mapOf(object(['schema'], { description: text, required: { type: 'boolean' }, schema })),
      content: mapOf(ref('mediaType')),
    }),
    mediaType: object(['schema'], {
      schema,
      examples: mapOf(object(['value'], { summary: text, value: true })),
    }),
    securityScheme: {
      oneOf: [
        object(['type', 'in', 'name'], {
          type: { const: 'apiKey' },
          in: { enum: ['header', 'query', 'cookie'] },
          name: text,
        }),
        object(['type', 'scheme'], { type: { const: 'http' }, scheme: text }),
      ],
    },
  },
};
