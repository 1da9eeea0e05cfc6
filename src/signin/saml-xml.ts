import { DOMParser } from '@xmldom/xmldom';
import { quoted } from './plain.ts';
import { denseIn, excessOf, FROM_IDP } from './saml-limits.ts';
import type { Limits } from './saml-limits.ts';

/** The namespaces that count here. */
export const NAMESPACE = {
  protocol: 'urn:oasis:names:tc:SAML:2.0:protocol',
  assertion: 'urn:oasis:names:tc:SAML:2.0:assertion',
  metadata: 'urn:oasis:names:tc:SAML:2.0:metadata',
  signature: 'http://www.w3.org/2000/09/xmldsig#',
} as const;
export type Namespace = keyof typeof NAMESPACE;

const ELEMENT_NODE = 1;
const ODD_LINE_ENDS = /[\u0085\u2028]|&#(0*133|0*8232|x0*85|x0*2028);/i;
const TEXT_NODES = new Set([3, 4]);
const SPACE = new Set([' ', '\t', '\r', '\n']);

/** The text is not XML, or not the XML that SAML asks for; the message says what is wrong and may be shown to the operator. */
export class BadXml extends Error {
  override readonly name = 'BadXml';
}

/**
 * The root of a document. Throws BadXml for what is not well-formed, for document types, which declare entities, and for
 * more than the limits, before anything that takes time.
 */
export function parseXml(text: string, limits: Limits = FROM_IDP): Element {
  refuse(excessOf(text, limits));
  // Before it is parsed: an entity may stand for a gigabyte, or for a file of ours.
  if (/<!(DOCTYPE|ENTITY)/i.test(text))
    throw new BadXml('It declares a document type, which SAML has no use for.');
  // However they are written: the parser takes them for ends of lines, as XML 1.1 does, and so for space around a name.
  if (ODD_LINE_ENDS.test(text)) throw new BadXml('It has ends of lines that XML 1.0 does not know.');
  const complain = (message: string) => {
    throw new BadXml(`It is not well-formed XML: ${quoted(message)}`);
  };
  try {
    const errorHandler = { warning: complain, error: complain, fatalError: complain };
    const root = new DOMParser({ errorHandler }).parseFromString(text, 'text/xml').documentElement;
    refuse(denseIn(withDescendants(root)));
    return root;
  } catch (error) {
    // Some faults the parser throws as they come, and deep enough nesting exhausts the stack.
    throw error instanceof BadXml ? error : new BadXml('It is not well-formed XML.');
  }
}

/** Whether this is that element of SAML or of XML signatures. */
export function isElement(element: Element | null, namespace: Namespace, name: string): boolean {
  return element?.namespaceURI === NAMESPACE[namespace] && element.localName === name;
}

/** The elements of this name right below. */
export function childrenNamed(element: Element, namespace: Namespace, name: string): Element[] {
  return childrenOf(element).filter((child) => isElement(child, namespace, name));
}

/** The one element of this name right below; undefined if there is none. Throws BadXml if there are more. */
export function childNamed(element: Element, namespace: Namespace, name: string): Element | undefined {
  const [child, ...others] = childrenNamed(element, namespace, name);
  if (others.length > 0) throw new BadXml(`It has more than one ${name}.`);
  return child;
}

/** All elements right below. */
export function childrenOf(element: Element): Element[] {
  return Array.from(element.childNodes).filter((node) => node.nodeType === ELEMENT_NODE) as Element[];
}

/** This element and all below it, each behind its parent. */
export function withDescendants(root: Element): Element[] {
  const all = [root];
  // No recursion: the depth is up to whoever wrote the document.
  for (let next = 0; next < all.length; next += 1) all.push(...childrenOf(all[next] as Element));
  return all;
}

/** The text of an element, without XML's white space around it; throws BadXml if there is anything else in it, for readers differ in what they make of that. */
export function textOf(element: Element): string {
  const nodes = Array.from(element.childNodes);
  if (!nodes.every((node) => TEXT_NODES.has(node.nodeType)))
    throw new BadXml(`There is more than text in ${quoted(element.localName)}.`);
  return trimmed(nodes.map((node) => node.nodeValue).join(''));
}

/** The text without XML's four kinds of white space around it: what else looks like space is part of a name. */
export function trimmed(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && SPACE.has(text.charAt(start))) start += 1;
  while (end > start && SPACE.has(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

/** The attribute of this name, in no namespace; undefined where there is none. */
export function attributeOf(element: Element, name: string): string | undefined {
  return element.hasAttribute(name) ? (element.getAttribute(name) ?? undefined) : undefined;
}

/** The time in an attribute, in milliseconds since 1970; undefined where there is none. Throws BadXml for what is no time in a zone. */
export function timeIn(element: Element, name: string): number | undefined {
  const text = attributeOf(element, name);
  if (text === undefined) return undefined;
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text)
    : NaN;
  if (Number.isNaN(time)) throw new BadXml(`${name} is not a time: ${quoted(text)}`);
  return time;
}

function refuse(excess: string | undefined): void {
  if (excess) throw new BadXml(`It has ${excess}, which is too much.`);
}
