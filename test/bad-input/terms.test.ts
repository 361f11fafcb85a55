import { describeRows } from './play';
import { TERM_ROWS } from './term-rows';

describeRows(() => TERM_ROWS);
