local _M = {}
local mt = { __index = _M }

function _M.new()
  return setmetatable({ deltas = {}, metrics = {} }, mt)
end

function _M:add(metric, value)
  if not self.deltas[metric] then self.metrics[#self.metrics + 1] = metric end
  self.deltas[metric] = (self.deltas[metric] or 0) + value
end

function _M:merge(other)
  for _, metric in ipairs(other.metrics) do
    self:add(metric, other.deltas[metric])
    if self.deltas[metric] <= 0 then
      self.deltas[metric] = nil
      for i, name in ipairs(self.metrics) do
        if name == metric then table.remove(self.metrics, i) break end
      end
    end
  end
end

function _M:format()
  local args = {}
  for _, metric in ipairs(self.metrics) do args["usage[" .. metric .. "]"] = self.deltas[metric] end
  return args
end

return _M
