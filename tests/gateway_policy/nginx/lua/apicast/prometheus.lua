-- Counts in a shared dictionary and refuses what would spoil a real registry; without a metrics port it is nil.
local settings, state = require("test_settings"), ngx.shared.test_state

local counter = {}
counter.__index = counter

function counter:inc(value, labels)
  assert(type(value) == "number" and value >= 0 and value < math.huge, self.name .. ": no count")
  assert(#labels == #self.labels, self.name .. ": wrong labels")
  state:incr("counter:" .. self.name .. "{" .. table.concat(labels, ",") .. "}", value, 0)
end

return setmetatable({}, {
  __call = function(_, kind, name, help, labels)
    if not settings.prometheus then return nil end
    assert(kind == "counter" and name:match("^[a-z_]+$") and help)
    return setmetatable({ name = name, labels = labels }, counter)
  end,
})
