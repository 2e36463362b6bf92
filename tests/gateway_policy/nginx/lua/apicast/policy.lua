local _M = {}

function _M.new(name, version)
  local policy = { _NAME = name, _VERSION = version or "0.0" }
  local mt = { __index = policy, policy = policy }
  function policy.new() return setmetatable({}, mt) end
  for _, phase in ipairs({ "rewrite", "access", "content", "header_filter", "body_filter", "post_action", "log" }) do
    policy[phase] = function() end
  end
  return policy, mt
end

return _M
