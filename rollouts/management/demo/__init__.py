"""The demo: a company, its GitLab (simulated) and seven rollouts, told as if they had happened over three weeks."""
