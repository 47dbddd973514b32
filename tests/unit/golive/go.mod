module golive

go 1.18
