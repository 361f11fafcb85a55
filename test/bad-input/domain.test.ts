import { domainRows } from './domain-rows';
import { describeRows } from './play';

describeRows(domainRows);
