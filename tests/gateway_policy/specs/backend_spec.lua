-- The judgement on backend's answers; what it needs of the gateway is not there and not used.
package.loaded["apicast.backend_client"] = {}
package.loaded["resty.http_ng.backend.resty"] = {}
_G.ngx = _G.ngx or {}
local backend = require("maas_llm_backend")

local TIMEOUT = 30

describe("a report", function()
  for _, case in ipairs({
    { "is sent when backend took it", { status = 202 }, 0.1, "sent" },
    { "is sent again after a server error", { status = 500 }, 0.1, "retry" },
    { "is sent again when there were too many", { status = 429 }, 0.1, "retry" },
    { "is sent again after a refused connection", { status = 0, error = "connection refused" }, 0, "retry" },
    { "is sent again after a connection that was closed", { status = 0, error = "closed" }, 0.1, "retry" },
    { "is sent again when no connection could be opened in time", { status = 0, error = "timeout" }, 5, "retry" },
    { "is sent again when there was no answer at all", nil, 0, "retry" },
    { "is lost when it is refused", { status = 403 }, 0.1, "lost" },
    { "is lost when it may have been counted", { status = 0, error = "timeout" }, 29.99, "lost" },
    { "is lost when a proxy gave up waiting", { status = 504 }, 30, "lost" },
  }) do
    it(case[1], function()
      assert.equal(case[4], (backend.outcome(case[2], case[3], TIMEOUT)))
    end)
  end
end)
