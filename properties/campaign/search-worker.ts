/**
 * The program of a worker that was started for a search before anybody knows which: it loads what every search needs
 * while the command line is being read.
 */
import './search-task';

export { perform } from './worker';
