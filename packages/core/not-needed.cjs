// In place of what node-vault loads and is never asked for here: its HTTP client, its log, and its events.
module.exports = function notNeeded() {}
