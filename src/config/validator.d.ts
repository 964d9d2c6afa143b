// SPDX-License-Identifier: Apache-2.0
/** Types of the generated validator. */
import type {SchemaNode, ValidationError} from './schema.js';

declare const validate: {(data: unknown): boolean; errors?: ValidationError[] | null};
export default validate;
export const schema: SchemaNode;
