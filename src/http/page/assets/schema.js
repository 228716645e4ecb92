// Shapes of bodies in words: what a member may be, and the members of a shape as rows of a table.

/** So deep do members have members that are shown in the same table. */
const DEEPEST = 3;

const NAMES = { integer: 'whole number', boolean: 'true or false', string: 'text', object: 'object', array: 'array' };

const FORMATS = { 'date-time': 'time', 'time-span': 'time span', uri: 'address', password: 'secret' };

/** The first example of a body. */
export const example = ({ examples }) => Object.values(examples ?? {})[0]?.value;

/** Shapes of a document, which may refer to parts of it. */
export class Shapes {
  constructor(description) {
    this.description = description;
  }

  /** What `shape` refers to; what it says besides goes before. */
  resolve(shape) {
    if (!shape?.$ref) return shape;
    const { $ref, ...more } = shape;
    const target = $ref
      .slice(2)
      .split('/')
      .reduce((part, name) => part[name], this.description);
    return { ...this.resolve(target), ...more };
  }

  /** `shape` without the null that it may also be, and whether it may. */
  #bare(given) {
    const shape = this.resolve(given);
    if (Array.isArray(shape.type)) {
      const types = shape.type.filter((type) => type !== 'null');
      const words = shape.enum?.filter((word) => word !== null);
      return [{ ...shape, type: types.length > 1 ? types : types[0], enum: words }, types.length < shape.type.length];
    }
    // What is empty counts as left out, which any parameter may be.
    const others = shape.anyOf?.filter((one) => one.type !== 'null' && one.const !== '');
    if (others?.length === 1 && shape.anyOf.length === 2)
      return [
        { ...shape, anyOf: undefined, ...this.resolve(others[0]) },
        shape.anyOf.some((one) => one.type === 'null'),
      ];
    return [shape, false];
  }

  /** What a value of this shape may be, as text. */
  words(given) {
    const [shape, nullable] = this.#bare(given);
    const said = [this.#kind(shape), ...limits(shape)];
    if (nullable) said.push('or null');
    if (shape.default !== undefined) said.push(`default ${JSON.stringify(shape.default)}`);
    return said.filter(Boolean).join(', ');
  }

  #kind(shape) {
    // Words in any case have a pattern beside them, which says the same.
    const words = shape.enum ?? shape.anyOf?.find((one) => one.enum && one.type === undefined)?.enum;
    if (words) {
      const names = shape['x-enum-varnames'];
      return words.map((word, index) => (names ? `${word} (${names[index]})` : String(word))).join(' | ');
    }
    if (shape.anyOf) return shape.anyOf.map((one) => this.words(one)).join(', or ');
    if (shape.type === 'array') return shape.items ? `array of ${this.words(shape.items)}` : 'array';
    if (shape.type === undefined) return 'anything';
    return FORMATS[shape.format] ?? NAMES[shape.type] ?? shape.type;
  }

  /** The tables of a shape: of each object that it may be, a title and rows of members. */
  tables(given) {
    const [shape] = this.#bare(given);
    if (shape.type === 'array' || (shape.anyOf && !shape.properties)) {
      const choices = shape.anyOf ?? [{ ...shape.items, description: 'An array; of each element:' }];
      const objects = choices.filter((one) => this.resolve(one).properties);
      const arrays = choices.map((one) => this.resolve(one)).filter((one) => one.type === 'array');
      const or = arrays.length ? ` Or an array of ${counted(arrays[0])} of them.` : '';
      return objects.map((one) => ({
        title: `${this.resolve(one).description ?? ''}${or}`,
        rows: this.#rows(this.resolve(one)),
      }));
    }
    if (!shape.properties) return [{ title: this.words(shape), rows: [] }];
    return [{ title: shape.description, rows: this.#rows(shape) }];
  }

  #rows(shape, before = '', depth = 1) {
    return Object.entries(shape.properties ?? {}).flatMap(([name, member]) => {
      const [bare] = this.#bare(member);
      const path = `${before}${name}`;
      const row = {
        path,
        required: shape.required?.includes(name),
        words: this.words(member),
        says: member.description ?? bare.description,
      };
      const [inside, prefix] =
        bare.type === 'array' ? [this.#bare(bare.items ?? {})[0], `${path}[].`] : [bare, `${path}.`];
      return depth < DEEPEST && inside.properties ? [row, ...this.#rows(inside, prefix, depth + 1)] : [row];
    });
  }
}

const counted = ({ minItems = 0, maxItems }) => (minItems === maxItems ? `exactly ${maxItems}` : `up to ${maxItems}`);

/** The limits of a shape, each a phrase. */
function limits(shape) {
  const said = [];
  const [least, most] = [shape.minimum ?? shape['x-minimum'], shape.maximum ?? shape['x-maximum']];
  if (least !== undefined && most !== undefined) said.push(`${least} to ${most}`);
  else if (least !== undefined) said.push(`from ${least}`);
  if (shape.maxLength !== undefined) said.push(`${shape.minLength ?? 0} to ${shape.maxLength} characters`);
  if (shape.maxItems !== undefined) said.push(`up to ${shape.maxItems}`);
  return said;
}
