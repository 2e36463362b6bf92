"""The KServe controller in raw deployment mode, with scheduler, kubelet and Deployment controller below it."""
