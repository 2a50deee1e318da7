// A worker on PostgreSQL. It knows nothing of Vault: DATABASE_URL is all that it is told.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const workers = 8

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	config.MaxConns = workers
	// PgBouncer hands each transaction to another connection, where nobody has prepared the statement (it can since 1.21).
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return err
	}
	defer pool.Close()

	stopped, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var done, failed atomic.Int64
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			// What is under way is finished, and nothing new is begun.
			for stopped.Err() == nil {
				if err := work(context.Background(), pool); err != nil {
					failed.Add(1)
					fmt.Fprintln(os.Stderr, "failed:", err)
				} else {
					done.Add(1)
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	fmt.Println("working")
	working.Wait()
	fmt.Printf("done: %d, failed: %d\n", done.Load(), failed.Load())
	return nil
}

// One piece of work, in a transaction.
func work(ctx context.Context, pool *pgxpool.Pool) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		var id int64
		if err := tx.QueryRow(ctx, "INSERT INTO visits (by) VALUES ($1) RETURNING id", "go").Scan(&id); err != nil {
			return err
		}
		var by string
		return tx.QueryRow(ctx, "SELECT by FROM visits WHERE id = $1", id).Scan(&by)
	})
}
