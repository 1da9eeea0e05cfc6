/** How much a text may hold. What takes time by the square of one of these, or by two of them, does so for a moment only. */
export type Limits = { characters: number; tags: number; attributes: number };

/** For what any browser may bring; somebody in 250 groups, each with its own namespaces, has nearly as much. */
export const FROM_ANYBODY: Limits = { characters: 65_536, tags: 600, attributes: 1_000 };
/** For what the IdP itself wrote; what Microsoft publishes has a third of it. */
export const FROM_IDP: Limits = { characters: 262_144, tags: 5_000, attributes: 3_000 };

const MAX_NAMESPACES = 40;
const MAX_DEPTH = 30;
const MAX_ATTRIBUTES_OF_ONE = 60;
const NAMESPACE = /xmlns(?::[\w.-]{1,50})?\s{0,4}=\s{0,4}(?:"[^"<]{0,200}"|'[^'<]{0,200}')/g;

/** What there is too much of in a text, by counting alone: it takes no time, even where the text is no XML at all. */
export function excessOf(text: string, { characters, tags, attributes }: Limits): string | undefined {
  if (text.length > characters) return `${text.length} characters`;
  // One that ends itself counts twice, as the element that it is.
  const tagCount = countOf(text, '<') + countOf(text, '/>');
  if (tagCount > tags) return `${tagCount} tags`;
  const attributeCount = countOf(text, '=');
  if (attributeCount > attributes) return `${attributeCount} attributes`;
  const namespaces = text.match(NAMESPACE) ?? [];
  // Where there are others, they were not counted.
  if (namespaces.length !== countOf(text, 'xmlns')) return 'namespaces in an odd form';
  const different = new Set(namespaces).size;
  return different > MAX_NAMESPACES ? `${different} namespaces` : undefined;
}

/** What there is too much of in one place; `elements` are all there are, each behind its parent. */
export function denseIn(elements: Element[]): string | undefined {
  const depths = new Map<Node | null, number>();
  for (const element of elements) {
    const depth = (depths.get(element.parentNode) ?? 0) + 1;
    if (depth > MAX_DEPTH) return `more than ${MAX_DEPTH} levels`;
    depths.set(element, depth);
    if (element.attributes.length > MAX_ATTRIBUTES_OF_ONE)
      return `${element.attributes.length} attributes in one element`;
  }
  return undefined;
}

function countOf(text: string, part: string): number {
  return text.split(part).length - 1;
}
